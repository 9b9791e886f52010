"""The examples of every page run from top to bottom."""

import re
from pathlib import Path

import keras
import pytest
from docs_hub import make_repositories
from docs_pages import PAGES, ROOT, blocks_of, name_of
from hub_server import HubServer, connect_client
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app

pytest.importorskip("tensorflow")

RUN = [page for page in PAGES if blocks_of(page, "python")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory, captioner_preset):
    """A local server instead of the Hub."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with HubServer(make_repositories(folder, Path(captioner_preset))) as server:
        yield server


@pytest.fixture
def reader(tmp_path, monkeypatch, hub, eager_fit):
    """An empty working folder with links to those of a clone; training is not compiled."""
    from keras_mmfusion.models.captioning import Captioner

    for name in "docs", "examples", "tests", "zoo":
        (tmp_path / name).symlink_to(ROOT / name)
    keras.utils.set_random_seed(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    connect_client(hub, tmp_path / "hub", monkeypatch)
    monkeypatch.setattr(Captioner, "_jit_compile_search", False)


def run_commands(block):
    """Runs the `mmfusion` commands of a shell block."""
    for program, *words in block.commands():
        if program == "mmfusion":
            done = CliRunner().invoke(app, words, catch_exceptions=False)
            assert done.exit_code == 0, f"mmfusion {' '.join(words)}\n{done.output}"


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_page_examples_run(page, reader):
    variables = {"__name__": "__main__"}
    for block in blocks_of(page, "python", "sh", "shell"):
        if not block.is_run:
            continue
        if block.language == "python":
            text = re.sub(r"\bepochs=\d+", "epochs=1", block.code)
            # Errors then show the page and its line.
            exec(compile("\n" * (block.line - 1) + text, name_of(page), "exec"), variables)
        else:
            run_commands(block)


def test_few_blocks_are_excluded():
    blocks = [block for page in RUN for block in blocks_of(page, "python")]
    skipped = [block for block in blocks if not block.is_run]
    assert all(block.reason for block in skipped)
    assert len(skipped) <= 6 < 50 < len(blocks)

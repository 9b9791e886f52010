"""The built documentation: the strict build fails on warnings, and examples are code blocks."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")
pytest.importorskip("mkdocs_jupyter")

ROOT = Path(__file__).resolve().parents[1]
API_PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))


def build_as_ci_does(folder, site):
    """Runs the `mkdocs` command of `.ci/run` in a checkout; returns the finished process."""
    words = shlex.split(re.search(r"\S*/mkdocs build.*", (ROOT / ".ci" / "run").read_text())[0])
    command = [sys.executable, "-m", "mkdocs", *words[1:], "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = build_as_ci_does(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder


class Examples(HTMLParser):
    """Counts prompts `>>>` inside and outside of code blocks, and block quotes."""

    def __init__(self, page):
        super().__init__()
        self.open_blocks = self.prompts = self.block_quotes = 0
        self.stray_prompts = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.open_blocks += tag == "pre"
        self.block_quotes += tag == "blockquote"

    def handle_endtag(self, tag):
        self.open_blocks -= tag == "pre"

    def handle_data(self, data):
        if ">>>" in data:
            self.prompts += 1
            if not self.open_blocks:
                self.stray_prompts.append(data)


@pytest.mark.parametrize("page", API_PAGES, ids=[page.stem for page in API_PAGES])
def test_doctests_are_code_blocks(site, page):
    html = (site / "api" / page.stem / "index.html").read_text(encoding="utf-8")
    examples = Examples(html)
    assert examples.stray_prompts == []
    assert examples.block_quotes == 0
    # Each prompt is highlighted.
    assert examples.prompts == html.count('<span class="gp">&gt;&gt;&gt;')
    assert examples.prompts or page.stem == "serving"


def test_call_arguments_are_rendered_as_table(site):
    html = (site / "api" / "layers" / "index.html").read_text(encoding="utf-8")
    table = html.split("Call arguments:", 1)[1].split("</table>", 1)[0]
    assert "<code>attention_mask</code>" in table
    assert table.count("<tr") > 5


def test_broken_link_fails_the_build(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs", symlinks=True)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / "keras_mmfusion").symlink_to(ROOT / "keras_mmfusion")
    with (tmp_path / "docs" / "metrics.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](no_such_page.md)\n")
    built = build_as_ci_does(tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert "no_such_page.md" in built.stderr

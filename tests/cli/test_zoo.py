import json
import os
import pathlib
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.zoo.download import get_cache_folder
from keras_mmfusion.zoo.manifest import find_preset, load_manifest

NAME = "efficientnet_lite0_imagenet"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR", raising=False)


def run(*arguments):
    return CliRunner().invoke(app, ["zoo", *arguments])


def test_list_has_a_line_per_preset():
    command = run("list")

    assert command.exit_code == 0
    for preset in load_manifest().values():
        line = next(line for line in command.stdout.splitlines() if line.startswith(preset.name))
        assert preset.task in line
        assert preset.license in line


def test_list_as_json():
    listing = json.loads(run("list", "--json").stdout)

    assert [preset["name"] for preset in listing] == list(load_manifest())
    assert all(
        preset["size"] == sum(file["size"] for file in preset["files"].values())
        for preset in listing
    )


def test_list_reports_the_origin_of_each_preset(monkeypatch, tmp_path):
    def origins():
        listing = json.loads(run("list", "--json").stdout)
        return {preset["name"]: preset["origin"] for preset in listing}

    assert origins()["captioner_flickr8k_lite0"] == "package"
    assert origins()[NAME] == "checkout"
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(tmp_path / "empty"))
    assert origins()["captioner_flickr8k_lite0"] == "package"
    assert origins()[NAME] == "not available"
    lines = run("list").stdout.splitlines()
    (line,) = (line for line in lines if line.startswith(NAME))
    assert "not" in line.split()  # The column is narrow.


def test_show_describes_a_preset():
    command = run("show", NAME)
    preset = find_preset(NAME)

    assert command.exit_code == 0
    for text in (NAME, preset.task, preset.license, *preset.scores):
        assert text in command.stdout
    for file in preset.files:
        assert file.path in command.stdout
        assert f"{file.size:,}" in command.stdout


def test_show_as_json():
    preset = find_preset(NAME)
    shown = json.loads(run("show", NAME, "--json").stdout)

    assert shown["fingerprint"] == preset.fingerprint
    assert shown["scores"] == preset.scores
    assert shown["origin"] == "checkout"


def test_pull_downloads_and_prints_the_folder():
    command = run("pull", NAME)
    folder = pathlib.Path(command.stdout.strip())

    assert command.exit_code == 0
    assert folder == get_cache_folder(find_preset(NAME))
    assert (folder / "model.weights.h5").is_file()
    again = run("pull", NAME, "--json")
    assert json.loads(again.stdout) == {"name": NAME, "folder": str(folder)}
    assert json.loads(run("show", NAME, "--json").stdout)["origin"] == "cache"


def test_pull_of_unknown_preset_is_a_one_line_error():
    command = run("pull", "efficientnet")

    assert command.exit_code == 2
    assert command.stdout == ""
    assert command.stderr.startswith("mmfusion: Unknown preset 'efficientnet'.")


def test_pull_from_a_mirror_without_the_preset_is_a_one_line_error(tmp_path):
    command = subprocess.run(
        [sys.executable, "-m", "keras_mmfusion.cli.main", "zoo", "pull", NAME],
        env={**os.environ, "KERAS_MMFUSION_MIRROR": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert command.returncode == 2
    assert len(command.stderr.splitlines()) == 1
    assert f"mmfusion: Cannot fetch preset '{NAME}': {tmp_path / 'empty'}" in command.stderr

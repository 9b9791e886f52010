import importlib.util
import json
import pathlib

import pytest

from keras_mmfusion.zoo import manifest
from keras_mmfusion.zoo.manifest import load_manifest

SCRIPT = pathlib.Path(__file__).parents[2] / "zoo" / "publish.py"
CARD = {
    "task": "image_captioning",
    "description": "A tiny one.",
    "license": "CC0-1.0",
    "credit": "Nobody.",
}
RESULTS = {
    "metrics": {"bleu_1": 0.65, "cider": 0.6, "seconds": 12.5},
    "protocol": {"data": "flickr8k", "split": "dev", "versions": {"keras": "3"}},
    "outputs": [],
}


@pytest.fixture(scope="module")
def publish():
    spec = importlib.util.spec_from_file_location("publish", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(folder_mirror, preset):
    """Makes a published folder: files of the preset, card, results and model card."""
    folder = folder_mirror / preset.name
    (folder / "card.json").write_text(json.dumps(CARD))
    (folder / "results.json").write_text(json.dumps(RESULTS))
    (folder / "README.md").write_text("# A model card")
    return folder


def test_entry_has_the_files_the_card_and_the_scores(publish, folder, preset, tmp_path):
    entry = publish.read_preset(preset.name, zoo=folder.parent, embedded=tmp_path / "none")

    assert set(entry.files) == set(preset.files)
    assert entry.license == "CC0-1.0"
    assert entry.scores == RESULTS["metrics"]
    assert entry.protocol == {"data": "flickr8k", "split": "dev"}


def test_card_selects_the_scores(publish, folder, preset, tmp_path):
    (folder / "card.json").write_text(json.dumps({**CARD, "scores": ["cider"]}))
    entry = publish.read_preset(preset.name, zoo=folder.parent, embedded=tmp_path / "none")

    assert entry.scores == {"cider": 0.6}


def test_files_of_the_package_have_priority(publish, folder, preset, tmp_path):
    embedded = tmp_path / "embedded" / preset.name
    embedded.mkdir(parents=True)
    (embedded / "config.json").write_text("{}")
    entry = publish.read_preset(preset.name, zoo=folder.parent, embedded=embedded.parent)

    assert [(file.path, file.size) for file in entry.files] == [("config.json", 2)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "card.json").unlink(), "has no card"),
        (
            lambda folder: (folder / "card.json").write_text('{"task": "x"}'),
            "has missing or unknown entries",
        ),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    ],
)
def test_missing_parts_are_errors(publish, folder, preset, tmp_path, change, problem):
    change(folder)
    with pytest.raises(ValueError, match=problem):
        publish.read_preset(preset.name, zoo=folder.parent, embedded=tmp_path / "none")


def test_written_manifest_loads(publish, zoo, make_preset, preset):
    presets = {name: make_preset(name) for name in ("b", "a")}
    publish.write_manifest(presets, manifest.MANIFEST_PATH)

    assert list(load_manifest()) == ["a", "b"]
    assert load_manifest() == presets
    assert [path.name for path in manifest.MANIFEST_PATH.parent.iterdir()] == ["manifest.json"]


def test_preset_without_model_card_gets_a_draft(publish, folder, preset):
    publish.draft_model_card(preset.name, folder.parent)
    assert (folder / "README.md").read_text() == "# A model card"

    (folder / "README.md").unlink()
    publish.draft_model_card(preset.name, folder.parent)
    text = (folder / "README.md").read_text()
    assert text.startswith(f"# {preset.name}\n\nA tiny one.\n")
    assert f"<!-- scores {preset.name}:begin -->" in text
    assert text.endswith("CC0-1.0. Nobody.\n")

import dataclasses
import json
import pathlib

import pytest

from keras_mmfusion.zoo import manifest
from keras_mmfusion.zoo.manifest import (
    Preset,
    PresetFile,
    compute_sha256,
    find_preset,
    list_preset_files,
    load_manifest,
    to_json,
)

HASH = "0" * 64


@pytest.mark.parametrize(
    "path",
    [
        "../config.json",
        "assets/../../config.json",
        "/etc/passwd",
        "C:/config.json",
        "assets\\config.json",
        "assets//config.json",
        "./config.json",
        ".hidden",
        "~/config.json",
        "assets/",
        "config.json\n",
        "",
    ],
)
def test_paths_outside_of_the_folder_are_errors(path):
    with pytest.raises(ValueError, match="`path` must be a relative path"):
        PresetFile(path, 1, HASH)


@pytest.mark.parametrize("name", ["..", "../other", "a/b", "", "/", "C:", "Captioner", "a\\b"])
def test_names_outside_of_the_folder_are_errors(name):
    with pytest.raises(ValueError, match="`name` must be a plain folder name"):
        Preset(name, "image_captioning", "", "", "", ())


@pytest.mark.parametrize("size", [-1, "12", 1.5, None])
def test_invalid_size_is_an_error(size):
    with pytest.raises(ValueError, match="`size` must be a number of bytes"):
        PresetFile("config.json", size, HASH)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, HASH.upper() + "A"])
def test_invalid_hash_is_an_error(sha256):
    with pytest.raises(ValueError, match="`sha256` must be 64"):
        PresetFile("config.json", 1, sha256)


def test_manifest_keeps_presets(zoo, preset):
    assert load_manifest() == {preset.name: preset}
    assert find_preset(preset.name) == preset


def test_files_of_checkpoints_are_part_of_the_fingerprint(tmp_path):
    names = ["config.json", "model.safetensors", "tokenizer.json"]
    for name in [*names, "README.md", "card.json", "recipe.sh", "results.json"]:
        (tmp_path / name).write_text("{}")
    assert [file.path for file in list_preset_files(tmp_path)] == names


def test_fingerprint_changes_with_any_file(preset):
    first, *others = preset.files
    for change in ({"size": 1}, {"sha256": HASH}, {"path": "other.json"}):
        changed = dataclasses.replace(preset, files=(dataclasses.replace(first, **change), *others))
        assert changed.fingerprint != preset.fingerprint
    described = dataclasses.replace(preset, description="Other words.")
    assert described.fingerprint == preset.fingerprint


def test_unknown_name_suggests_the_nearest(zoo):
    with pytest.raises(ValueError, match="Unknown preset 'captoiner_tiny'. Did you mean 'captio"):
        find_preset("captoiner_tiny")
    with pytest.raises(ValueError, match="Unknown preset 'qqq'. The zoo has: captioner_tiny"):
        find_preset("qqq")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda entry: entry.pop("files"), "files"),
        (lambda entry: entry.pop("license"), "license"),
        (lambda entry: entry.update(color="red"), "color"),
        (lambda entry: entry["files"].update({"../x": {"size": 1, "sha256": HASH}}), "`path` must"),
        (lambda entry: entry["files"].update({"x": {"size": 1}}), "sha256"),
    ],
)
def test_malformed_entry_is_an_error(zoo, preset, change, problem):
    entry = to_json(preset)
    change(entry)
    manifest.MANIFEST_PATH.write_text(json.dumps({preset.name: entry}))

    with pytest.raises(ValueError, match=f"entry for 'captioner_tiny' is malformed.*{problem}"):
        load_manifest()


def test_manifest_matches_the_published_files():
    """Each preset that the package or the checkout carries is, byte for byte, what is listed."""
    folders = (
        manifest.MANIFEST_PATH.parent / "presets",
        pathlib.Path(__file__).parents[2] / "zoo",
    )
    presets = load_manifest()
    assert presets
    for preset in presets.values():
        assert any(file.path in manifest.CONFIG_FILES for file in preset.files)
        for folder in folders:
            for file in preset.files:
                path = folder / preset.name / file.path
                if path.exists():
                    assert (path.stat().st_size, compute_sha256(path)) == (
                        file.size,
                        file.sha256,
                    ), path

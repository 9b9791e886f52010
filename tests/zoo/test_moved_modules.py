"""Saved files name classes by their registered names, so that modules can move."""

import json
import pathlib
import shutil
import subprocess
import sys
import zipfile

import keras
import pytest

from keras_mmfusion._lazy import find_defining_modules
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models.presets.model_files import load_model
from keras_mmfusion.zoo.manifest import load_manifest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = pathlib.Path(__file__).with_name("load_moved_presets.py")
PUBLISHED = [
    folder
    for parent in (ROOT / "keras_mmfusion" / "zoo" / "presets", ROOT / "zoo")
    for folder in sorted(parent.iterdir())
    if (folder / "config.json").is_file() or (folder / "task.json").is_file()
]


def scramble_modules(config):
    """Renames each module of this package in a configuration; returns how many there were."""
    if isinstance(config, list):
        return sum(map(scramble_modules, config))
    if not isinstance(config, dict):
        return 0
    count = sum(scramble_modules(value) for value in config.values())
    if str(config.get("module")).startswith("keras_mmfusion"):
        config["module"] = f"nowhere.{count}"
        count += 1
    return count


def copy_scrambled_preset(source, target):
    target.mkdir()
    count = 0
    for path in source.iterdir():
        copy = target / path.name
        if path.suffix == ".json":
            config = json.loads(path.read_text("utf-8"))
            count += scramble_modules(config)
            copy.write_text(json.dumps(config), "utf-8")
        elif path.is_dir():
            shutil.copytree(path, copy)
        else:
            copy.symlink_to(path)
    assert count > 0


def save_scrambled_model(path):
    names = "image", "text"
    inputs = {name: keras.Input((3, 4), name=name) for name in names}
    model = keras.Model(inputs, FusionBlock(names, dim=4)(inputs))
    plain = path.with_name(f"plain_{path.name}")
    model.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                assert scramble_modules(config) > 0
                content = json.dumps(config)
            target.writestr(name, content)
    return model.count_params()


def test_every_preset_of_the_manifest_is_tested():
    assert sorted(load_manifest()) == sorted(folder.name for folder in PUBLISHED)


def test_presets_and_keras_files_load_after_all_modules_have_moved(tmp_path):
    for folder in PUBLISHED:
        copy_scrambled_preset(folder, tmp_path / folder.name)
    path = tmp_path / "fusion.keras"
    num_weights = save_scrambled_model(path)
    paths = [str(tmp_path / folder.name) for folder in PUBLISHED] + [str(path)]
    run = subprocess.run(
        [sys.executable, SCRIPT, *paths], capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = dict(line.split() for line in run.stdout.splitlines())
    assert set(loaded) == {folder.name for folder in PUBLISHED} | {"fusion.keras"}
    assert int(loaded["fusion.keras"]) == num_weights


def test_every_registered_class_can_be_found_by_its_name():
    # In a fresh process, since other tests import modules directly.
    code = (
        "import importlib, pkgutil, keras, keras_mmfusion\n"
        "from keras_mmfusion._lazy import find_defining_modules\n"
        "for name, module in find_defining_modules().items():\n"
        "    getattr(importlib.import_module(module), name)\n"
        "found = set(keras.saving.get_custom_objects())\n"
        "for info in pkgutil.walk_packages(keras_mmfusion.__path__, 'keras_mmfusion.'):\n"
        "    parts = info.name.split('.')\n"
        "    if parts[1] in ('layers', 'losses', 'metrics', 'encoders', 'models'):\n"
        "        importlib.import_module(info.name)\n"
        "print(*(set(keras.saving.get_custom_objects()) - found))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    assert run.stdout.split() == []


def test_find_defining_modules_names_the_module_itself():
    modules = find_defining_modules()
    assert modules["GCNLayer"] == "keras_mmfusion.layers.graph.convolution.gcn_layer"
    assert modules["connect_boxes"] == "keras_mmfusion.graphs.box_edges"
    assert "layers" not in modules


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_load_model_names_a_file_that_is_not_a_keras_file(tmp_path, content):
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="`filepath` must be a .keras file.*model.keras"):
        load_model(path)

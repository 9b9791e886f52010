"""Damaged and malicious folders: an error that names the reason, no code run, no model left."""

import gc
import json
import os
import pickle
import weakref

import numpy as np
import pytest
from checkpoint_files import TENSORS, pack_header, pack_safetensors, register_toy_converter

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import load_checkpoint
from keras_mmfusion.checkpoints.safetensors_file import SafetensorsFile

INDEX = "model.safetensors.index.json"
PACKED = pack_safetensors(TENSORS)


class Code:
    """Creates the folder `executed` when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def remove_config(folder):
    (folder / "config.json").unlink()


def damage_config(folder):
    (folder / "config.json").write_text('{"model_type": "toy", ')


def name_a_path_as_model_type(folder):
    (folder / "config.json").write_text('{"model_type": "../../evil"}')


def remove_weights(folder):
    (folder / "model.safetensors").unlink()


def truncate_weights(folder):
    (folder / "model.safetensors").write_bytes(PACKED[:-5])


def write_text(folder):
    (folder / "model.safetensors").write_bytes(b"not a safetensors file, but some text")


def write_pickle(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps({"dense.weight": Code()}))


def lengthen_header(folder):
    length = int.from_bytes(PACKED[:8], "little")
    content = (length + 1000).to_bytes(8, "little") + PACKED[8:]
    (folder / "model.safetensors").write_bytes(content)


def shorten_header(folder):
    length = int.from_bytes(PACKED[:8], "little")
    (folder / "model.safetensors").write_bytes((length - 5).to_bytes(8, "little") + PACKED[8:])


def overflow_offsets(folder):
    entry = {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 2**62]}
    packed = pack_header(json.dumps({"dense.weight": entry}).encode(), b"0" * 8)
    (folder / "model.safetensors").write_bytes(packed)


def change_shape(folder):
    tensors = {**TENSORS, "dense.bias": np.ones(4, "float32")}
    (folder / "model.safetensors").write_bytes(pack_safetensors(tensors))


def transpose_weight(folder):
    tensors = {**TENSORS, "dense.weight": TENSORS["dense.weight"].T.copy()}
    (folder / "model.safetensors").write_bytes(pack_safetensors(tensors))


def remove_setting(folder):
    (folder / "config.json").write_text('{"model_type": "toy"}')


def add_tensor(folder):
    tensors = {**TENSORS, "head.weight": np.ones(4, "float32")}
    (folder / "model.safetensors").write_bytes(pack_safetensors(tensors))


def remove_tensor(folder):
    packed = pack_safetensors({"dense.weight": TENSORS["dense.weight"]})
    (folder / "model.safetensors").write_bytes(packed)


def write_index(folder, file):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    files = {"dense.weight": "model-00001-of-00002.safetensors", "dense.bias": file}
    (folder / INDEX).write_text(json.dumps({"weight_map": files}))


def name_a_missing_shard(folder):
    write_index(folder, "model-00002-of-00002.safetensors")


def escape_by_index(folder):
    (folder.parent / "secret.safetensors").write_bytes(PACKED)
    write_index(folder, "../secret.safetensors")


def escape_by_absolute_path(folder):
    (folder.parent / "secret.safetensors").write_bytes(PACKED)
    write_index(folder, str(folder.parent / "secret.safetensors"))


CASES = {
    remove_config: "config.json",
    damage_config: "config.json' is not valid JSON",
    name_a_path_as_model_type: r"'../../evil' is not supported. Supported model types: .*'blip'",
    remove_weights: "has none of model.safetensors",
    truncate_weights: "it is truncated: .* bytes instead of",
    write_text: "not a valid safetensors file",
    write_pickle: "safetensors",
    lengthen_header: "header of .* bytes exceeds the file|not valid JSON",
    shorten_header: "header is not valid JSON",
    overflow_offsets: "tensor 'dense.weight'",
    change_shape: r"'dense.bias' of shape \(4,\) does not fit the variable .* of shape \(3,\)",
    transpose_weight: r"does not fit .* of shape \(4, 3\), because it is converted to \(3, 4\)",
    remove_setting: "do not describe a model of type 'toy': KeyError.'hidden_size'",
    add_tensor: "has 1 weight without a use: 'head.weight'",
    remove_tensor: "lacks 1 weight: 'dense.bias'",
    name_a_missing_shard: "names files that are missing: model-00002-of-00002.safetensors",
    escape_by_index: "must name files in its own folder. Received: '../secret.safetensors'",
    escape_by_absolute_path: "must name files in its own folder",
}


@pytest.fixture
def models(monkeypatch):
    """References to all models that a converter has built."""
    toy_model = register_toy_converter(monkeypatch)
    import keras_mmfusion.checkpoints.toy as converter

    references = []

    def build_model(config, assets):
        model = toy_model(config["hidden_size"])
        references.append(weakref.ref(model))
        return model

    monkeypatch.setattr(converter, "build_model", build_model)
    return references


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": "toy", "hidden_size": 4}))
    (folder / "model.safetensors").write_bytes(PACKED)
    return folder


def check_nothing_remains(models):
    gc.collect()
    assert [reference for reference in models if reference() is not None] == []
    assert not os.path.exists("executed")


@pytest.mark.parametrize("load", [load_checkpoint, zoo.load_preset])
@pytest.mark.parametrize("damage", CASES, ids=lambda damage: damage.__name__)
def test_damaged_folders_raise_an_error(damage, load, folder, models):
    damage(folder)
    with pytest.raises(ValueError, match=CASES[damage]):
        load(folder)
    check_nothing_remains(models)


def test_tensors_are_read_after_all_checks(folder, models, monkeypatch):
    change_shape(folder)
    monkeypatch.setattr(SafetensorsFile, "__getitem__", None)
    with pytest.raises(ValueError, match="does not fit"):
        load_checkpoint(folder)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_in_a_pickle_is_not_executed(protocol, folder, models, monkeypatch):
    remove_weights(folder)
    content = pickle.dumps({"dense.weight": Code()}, protocol)
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises((ImportError, ValueError), match="needs torch|pytorch_model.bin"):
        load_checkpoint(folder)
    check_nothing_remains(models)


def test_code_of_the_repository_is_not_executed(folder, models):
    for name in ("modeling_toy.py", "configuration_toy.py"):
        (folder / name).write_text("import os\nos.mkdir('executed')\n")
    config = {"auto_map": {"AutoModel": "modeling_toy.Toy"}, "trust_remote_code": True}
    config |= {"model_type": "toy", "hidden_size": 4}
    (folder / "config.json").write_text(json.dumps(config))
    assert load_checkpoint(folder).count_params() == 15
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "custom"}))
    with pytest.raises(ValueError, match="Model type 'custom' is not supported"):
        load_checkpoint(folder)
    assert not os.path.exists("executed")

import json

import numpy as np
import pytest
from checkpoint_files import TENSORS, pack_safetensors

from keras_mmfusion._extras import MissingExtraError
from keras_mmfusion.checkpoints.weight_files import open_weights

INDEX = "model.safetensors.index.json"


def write_shards(folder, weight_map):
    for index, (name, array) in enumerate(TENSORS.items(), start=1):
        path = folder / f"model-0000{index}-of-00002.safetensors"
        path.write_bytes(pack_safetensors({name: array}))
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


MAP = {
    "dense.weight": "model-00001-of-00002.safetensors",
    "dense.bias": "model-00002-of-00002.safetensors",
}


def test_shards_are_one_mapping(tmp_path):
    write_shards(tmp_path, MAP)
    weights = open_weights(tmp_path)
    assert set(weights) == set(TENSORS)
    assert len(weights) == 2
    assert weights.shapes["dense.weight"] == (3, 4)
    np.testing.assert_array_equal(weights["dense.weight"], TENSORS["dense.weight"])


def test_a_missing_shard_is_named(tmp_path):
    write_shards(tmp_path, MAP)
    (tmp_path / MAP["dense.bias"]).unlink()
    with pytest.raises(ValueError, match="missing: model-00002-of-00002.safetensors"):
        open_weights(tmp_path)


def test_an_index_that_disagrees_with_its_shards_raises_an_error(tmp_path):
    write_shards(tmp_path, {**MAP, "extra": MAP["dense.bias"]})
    with pytest.raises(ValueError, match="has 'extra', but it does not"):
        open_weights(tmp_path)


def test_weights_that_the_index_leaves_out_are_found(tmp_path):
    write_shards(tmp_path, MAP)
    tensors = {"dense.bias": TENSORS["dense.bias"], "extra": np.ones(1, "float32")}
    (tmp_path / MAP["dense.bias"]).write_bytes(pack_safetensors(tensors))
    assert set(open_weights(tmp_path)) == {*TENSORS, "extra"}


@pytest.mark.parametrize(
    "file", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "a\\b", "", 3, None]
)
def test_paths_outside_the_folder_raise_an_error(file, tmp_path):
    write_shards(tmp_path, {"dense.weight": file})
    with pytest.raises(ValueError, match="must name files in its own folder"):
        open_weights(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {}}'])
def test_an_index_without_a_weight_map_raises_an_error(content, tmp_path):
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(ValueError, match="must have a `weight_map`"):
        open_weights(tmp_path)


def test_other_formats_are_named(tmp_path):
    (tmp_path / "tf_model.h5").touch()
    with pytest.raises(ValueError, match="none of model.safetensors.* It has tf_model.h5, which"):
        open_weights(tmp_path)


def test_torch_files_without_torch_name_the_extra(tmp_path, monkeypatch):
    (tmp_path / "pytorch_model.bin").touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs torch.*keras-mmfusion\[torch\]"):
        open_weights(tmp_path)

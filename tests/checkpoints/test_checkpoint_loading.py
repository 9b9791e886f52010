import json

import keras
import numpy as np
import pytest
from checkpoint_files import TENSORS, register_toy_converter, write_checkpoint

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import load_checkpoint
from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.checkpoint_source import describe_source


@pytest.fixture(autouse=True)
def toy_model(monkeypatch):
    return register_toy_converter(monkeypatch)


def test_a_folder_becomes_a_model(tmp_path, toy_model):
    model = load_checkpoint(write_checkpoint(tmp_path))
    assert isinstance(model, toy_model)
    outputs = keras.ops.convert_to_numpy(model(np.ones((1, 4), "float32")))
    np.testing.assert_array_equal(outputs, [[7, 23, 39]])


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
def test_dtype_at_load_time(dtype, tmp_path):
    before = keras.config.dtype_policy()
    model = load_checkpoint(write_checkpoint(tmp_path), dtype=dtype)
    assert model.dense.dtype_policy.name == dtype
    assert keras.config.dtype_policy() is before
    outputs = model(np.ones((1, 4), "float32"))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32")), [[7, 23, 39]]
    )


def test_preprocessors_stay_float32(tmp_path, toy_model, monkeypatch):
    import keras_mmfusion.checkpoints.toy as converter

    def build_model(config, assets):
        tokens = keras.layers.Flatten(dtype="int32")
        preprocessor = keras.Sequential([keras.layers.Rescaling(0.5), tokens])
        return toy_model(config["hidden_size"], preprocessor)

    monkeypatch.setattr(converter, "build_model", build_model)
    model = load_checkpoint(write_checkpoint(tmp_path), dtype="bfloat16")
    policies = [layer.dtype_policy.name for layer in model.preprocessor.layers]
    assert policies == ["float32", "int32"]
    assert model.dense.dtype_policy.name == "bfloat16"


def test_int8_at_load_time(tmp_path):
    model = load_checkpoint(write_checkpoint(tmp_path), dtype="int8")
    assert keras.backend.standardize_dtype(model.dense._kernel.dtype) == "int8"
    outputs = keras.ops.convert_to_numpy(model(np.ones((1, 4), "float32")))
    np.testing.assert_allclose(outputs, [[7, 23, 39]], rtol=0.02)


def test_weights_may_be_left_out(tmp_path):
    folder = write_checkpoint(tmp_path)
    (folder / "model.safetensors").unlink()
    assert load_checkpoint(folder, load_weights=False).dense.kernel.shape == (4, 3)
    with pytest.raises(ValueError, match="has none of model.safetensors"):
        load_checkpoint(folder)


def test_mismatched_weights_are_named(tmp_path):
    folder = write_checkpoint(tmp_path, {**TENSORS, "head.weight": TENSORS["dense.bias"]})
    with pytest.raises(ValueError, match="without a use: 'head.weight'"):
        load_checkpoint(folder)


def test_unknown_model_types_list_the_supported_ones(tmp_path):
    folder = write_checkpoint(tmp_path, model_type="t9")
    with pytest.raises(ValueError, match="Model type 't9' is not supported.*'toy'"):
        load_checkpoint(folder)


def write_decoder(folder, model_type):
    sizes = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
    config = {"model_type": model_type, "rms_norm_eps": 1e-5, "rope_theta": 1e4, **sizes, **heads}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_llama_has_the_epsilon_of_the_checkpoint(tmp_path):
    model = load_checkpoint(write_decoder(tmp_path, "llama"), load_weights=False)
    assert model.backbone.get_config()["layer_norm_epsilon"] == 1e-5
    assert model.source == {"name": tmp_path.name}


def test_backbones_of_keras_hub_in_int8(tmp_path):
    backbone = load_checkpoint(write_decoder(tmp_path, "mistral"), load_weights=False, dtype="int8")
    assert "int8" in {keras.backend.standardize_dtype(x.dtype) for x in backbone.weights}


@pytest.mark.parametrize("config", ["{}", '{"model_type": 3}', '{"model_type": null}'])
def test_a_config_without_model_type_raises_an_error(config, tmp_path):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ValueError, match="must have a `model_type`"):
        load_checkpoint(tmp_path)


def test_a_config_that_is_not_an_object_raises_an_error(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="must be a JSON object"):
        load_checkpoint(tmp_path)


def test_image_processors_in_both_files(tmp_path):
    assets = CheckpointAssets(tmp_path)
    assert assets.image_processor == {}
    nested = {"image_processor": {"size": 4}, "processor_class": "Toy"}
    (tmp_path / "processor_config.json").write_text(json.dumps(nested))
    assert assets.image_processor == {"size": 4}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 3}))
    assert assets.image_processor == {"size": 3}


def test_the_first_file_that_exists_is_used(tmp_path):
    assets = CheckpointAssets(tmp_path)
    assert assets.get_path("vocab.txt", "tokenizer.json") is None
    with pytest.raises(ValueError, match="must have vocab.txt or tokenizer.json"):
        assets.require_path("vocab.txt", "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    assert assets.require_path("vocab.txt", "tokenizer.json").name == "tokenizer.json"
    assert assets.tokenizer_config == {}
    assert assets.generation_config == {}


def test_presets_keep_converted_weights_and_their_source(tmp_path, toy_model):
    folder = write_checkpoint(tmp_path / "models--owner--toy" / "snapshots" / "0123")
    (folder / "README.md").write_text("---\nlicense: mit\ntags: [a]\n---\n# Toy\n")
    source = {"name": "hf://owner/toy", "revision": "0123", "license": "mit"}
    model = toy_model.from_preset(folder)
    assert model.source == source
    model.save_to_preset(tmp_path / "preset")
    metadata = json.loads((tmp_path / "preset" / "metadata.json").read_text())
    assert metadata["source"] == source
    restored = toy_model.from_preset(tmp_path / "preset")
    assert restored.source == source
    inputs = np.ones((1, 4), "float32")
    np.testing.assert_array_equal(
        *map(keras.ops.convert_to_numpy, (model(inputs), restored(inputs)))
    )


def test_factories_accept_a_checkpoint(tmp_path, toy_model):
    folder = write_checkpoint(tmp_path)
    assert isinstance(zoo.load_preset(folder, dtype="bfloat16"), toy_model)
    encoder = zoo.image_encoder(folder, trainable=False)
    assert not encoder.trainable
    with pytest.raises(ValueError, match="image size of a ToyModel cannot be changed"):
        zoo.image_encoder(folder, image_size=32)
    with pytest.raises(ValueError, match="contains a ToyModel, not a Captioner"):
        zoo.captioner(folder)


def test_license_is_optional(tmp_path):
    assert describe_source(tmp_path) == {"name": tmp_path.name}
    for text in ("# Toy\nlicense: mit\n", "---\ntags: a\n---\n", ""):
        (tmp_path / "README.md").write_text(text)
        assert "license" not in describe_source(tmp_path)

"""Image and text encoders as checkpoints of their own, and as parts of our models."""

import importlib
import json

import keras
import numpy as np
import pytest
from checkpoint_files import pack_safetensors
from checkpoints.stored_cases import read_case

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import load_checkpoint
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.checkpoints.image_encoder_loading import load_image_converter
from keras_mmfusion.encoders import (
    PillowImageConverter,
    SwinTransformer,
    TextTransformer,
    VisionTransformer,
)

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype("uint8"))
# Model type -> stored case, converter of the case, prefix of the encoder's weights in it, and the
# prefix that they have in a checkpoint of their own on the Hub.
CASES = {
    "beit": ("beit_bert", "vision_encoder_decoder", "encoder.", "beit."),
    "blip_vision_model": ("blip_captioner", "blip", "vision_model.", "vision_model."),
    "clip_vision_model": ("clip", "clip", "vision_model.", "vision_model."),
    "clip_text_model": ("clip", "clip", "text_model.", "text_model."),
    "deit": ("deit_bert", "vision_encoder_decoder", "encoder.", "deit."),
    "git_vision_model": ("git", "git", "git.image_encoder.vision_model.", "vision_model."),
    "siglip_vision_model": ("siglip", "siglip", "vision_model.", "vision_model."),
    "siglip_text_model": ("siglip", "siglip", "text_model.", "text_model."),
    "swin": ("swin_roberta", "vision_encoder_decoder", "encoder.", "swin."),
    "vit": ("vit_gpt2", "vision_encoder_decoder", "encoder.", "vit."),
}
PROCESSOR = {"image_processor_type": "CLIPImageProcessor", "crop_size": 32}


def write_encoder(folder, model_type, prefix=""):
    """Writes a checkpoint of an encoder; its names begin with a prefix."""
    name, _, old_prefix, _ = CASES[model_type]
    config, weights, _ = read_case(name)
    part = "text_config" if "text" in model_type else "vision_config"
    config = config["encoder"] if old_prefix == "encoder." else config[part]
    weights = {
        prefix + name.removeprefix(old_prefix): array
        for name, array in weights.items()
        if name.startswith(old_prefix)
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    size = {"shortest_edge": 36}
    (folder / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, "size": size}))
    return folder


def load_whole_model(model_type):
    """Loads the model that the encoder is a part of."""
    name, converter, _, _ = CASES[model_type]
    converter = importlib.import_module(f"keras_mmfusion.checkpoints.{converter}")
    config, weights, _ = read_case(name)
    model = converter.build_model(config)
    assign_weights(model, config, converter, weights)
    return model


@pytest.mark.parametrize("model_type", CASES)
def test_encoders_equal_those_of_the_whole_model(model_type, tmp_path):
    name = "text" if "text" in model_type else "image"
    expected = getattr(load_whole_model(model_type), f"{name}_encoder")
    for prefix in ("", CASES[model_type][3]):
        encoder = load_checkpoint(write_encoder(tmp_path, model_type, prefix))
        image_class = SwinTransformer if model_type == "swin" else VisionTransformer
        assert type(encoder) is {"text": TextTransformer, "image": image_class}[name]
        assert encoder.source == {"name": tmp_path.name}
        for variable, other in zip(encoder.weights, expected.weights, strict=True):
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(variable), keras.ops.convert_to_numpy(other)
            )


def test_an_image_encoder_is_not_a_captioner(tmp_path):
    folder = write_encoder(tmp_path, "vit")
    with pytest.raises(ValueError, match="VisionTransformer, not a Captioner. Use `zoo.load_pre"):
        zoo.captioner(folder)


def test_heads_of_encoders_are_not_loaded(tmp_path):
    folder = write_encoder(tmp_path, "clip_vision_model", "vision_model.")
    _, weights, _ = read_case("clip")
    names = [name for name in weights if name.startswith(("vision_model", "visual_projection"))]
    tensors = pack_safetensors({name: weights[name] for name in names})
    (folder / "model.safetensors").write_bytes(tensors)
    assert any(name.startswith("visual_projection") for name in names)
    assert load_checkpoint(folder).count_params() > 0


@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", "int8"])
def test_position_embeddings_are_resized_to_the_image_size(dtype, tmp_path):
    folder = write_encoder(tmp_path, "clip_vision_model")
    encoder = zoo.image_encoder(folder, image_size=(64, 48), trainable=False, dtype=dtype)
    assert encoder.image_size == (64, 48)
    assert not encoder.trainable_weights
    same = zoo.image_encoder(folder, dtype=dtype)
    for variable, other in zip(encoder.weights, same.weights, strict=True):
        assert variable.dtype == other.dtype
    images = np.random.default_rng(0).normal(size=(1, 64, 48, 3)).astype("float32")
    tokens = keras.ops.convert_to_numpy(keras.ops.cast(encoder(images), "float32"))
    assert tokens.shape == (1, 1 + encoder.grid[0] * encoder.grid[1], encoder.token_dim)
    if dtype is not None:
        exact = zoo.image_encoder(folder, image_size=(64, 48))(images)
        np.testing.assert_allclose(tokens, keras.ops.convert_to_numpy(exact), atol=0.2)


def test_beit_with_shared_and_absolute_positions_equals_that_of_transformers(tmp_path):
    config, weights, expected = read_case("beit")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(pack_safetensors(weights))
    encoder = zoo.image_encoder(tmp_path)
    images = np.random.RandomState(0).normal(size=(2, 24, 24, 3)).astype("float32")
    tokens = keras.ops.convert_to_numpy(encoder(images))
    np.testing.assert_allclose(tokens, expected["encoded"], rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="relative positions of the grid .* cannot be resized"):
        zoo.image_encoder(tmp_path, image_size=32)


def test_swin_has_the_same_weights_at_any_image_size(tmp_path):
    folder = write_encoder(tmp_path, "swin")
    encoder = zoo.image_encoder(folder, image_size=(48, 36))
    assert (encoder.grid, encoder.token_dim) == ((6, 5), 16)
    for variable, other in zip(encoder.weights, zoo.image_encoder(folder).weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(variable), keras.ops.convert_to_numpy(other)
        )
    with pytest.raises(ValueError, match="`image_size` must be a multiple of `patch_size`"):
        zoo.image_encoder(folder, image_size=30)


def test_image_converters_of_other_sizes_keep_the_crop(tmp_path):
    folder = write_encoder(tmp_path, "clip_vision_model")
    converter = load_image_converter(folder)
    assert (converter.image_size, converter.shortest_edge) == ((32, 32), 36)
    converter = load_image_converter(folder, (64, 64))
    assert (converter.image_size, converter.shortest_edge) == ((64, 64), 72)
    processor = {"image_processor_type": "DeiTImageProcessor", "size": 36, "crop_size": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    converter = load_image_converter(folder, (64, 64))
    assert (converter.image_size, converter.resized_size) == ((64, 64), (72, 72))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match="must have preprocessor_config.json or processor_config"):
        load_image_converter(folder)


def create_captioner(preset, folder):
    sizes = {"dim": 8, "num_layers": 1, "num_heads": 2}
    return zoo.captioner(preset, weights=None, image_encoder=folder, **sizes)


@pytest.mark.parametrize("model_type", ["siglip_vision_model", "blip_vision_model"])
def test_captioners_with_the_image_encoder_of_a_checkpoint(model_type, captioner_preset, tmp_path):
    model = create_captioner(captioner_preset, write_encoder(tmp_path, model_type))
    converter = model.preprocessor.image_converter
    assert isinstance(converter, PillowImageConverter)
    assert converter.image_size == model.image_encoder.image_size
    assert len(model.generate(PHOTOS, beams=1, max_length=3)) == 2


def test_captioners_with_the_image_encoder_of_a_checkpoint_are_trained(captioner_preset, tmp_path):
    folder = write_encoder(tmp_path / "encoder", "clip_vision_model")
    model = create_captioner(captioner_preset, folder)
    before = keras.ops.convert_to_numpy(model.image_encoder.weights[0]).copy()
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    model.fit({"images": np.stack(PHOTOS), "captions": ["a b", "b a"]}, batch_size=2, verbose=0)
    assert np.any(keras.ops.convert_to_numpy(model.image_encoder.weights[0]) != before)
    captions = model.generate(PHOTOS, beams=1, max_length=3)
    model.save_to_preset(tmp_path / "preset")
    restored = zoo.captioner(tmp_path / "preset")
    assert restored.generate(PHOTOS, beams=1, max_length=3) == captions


def test_captioners_with_a_loaded_image_encoder(captioner_preset, tmp_path):
    encoder = zoo.image_encoder(write_encoder(tmp_path, "clip_vision_model"), image_size=48)
    model = zoo.captioner(captioner_preset, weights=None, image_encoder=encoder, dim=8, num_heads=2)
    assert model.preprocessor.image_converter.image_size == (48, 48)
    assert len(model.generate(PHOTOS, beams=1, max_length=3)) == 2

import json
import pathlib

import keras
import numpy as np
import pytest
from checkpoint_files import pack_safetensors
from keras import ops

from keras_mmfusion.checkpoints import vision_encoder_decoder
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

DATA = pathlib.Path(__file__).parent / "data"
IMAGES, TOKENS, LENGTH, END = 50, 6, 10, 39


def read_case(name):
    """Returns the configuration of a case, its weights, and its expected outputs."""
    config = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    data = np.load(DATA / f"{name}.npz")
    weights = {
        key.removeprefix("weight:"): data[key].astype("float32")
        for key in data
        if key.startswith("weight:")
    }
    return config, weights, data


def load_case(name, dropout=None):
    """Returns the model with the weights of a case, its expected outputs, images and captions."""
    config, weights, data = read_case(name)
    if dropout is not None:
        config["decoder"]["resid_pdrop"] = dropout
    model = vision_encoder_decoder.build_model(config)
    assign_weights(model, config, vision_encoder_decoder, weights)
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    random = np.random.RandomState(0)
    images = random.normal(size=(IMAGES, 16, 16, 3)).astype("float32")
    tokens = random.randint(0, END, (IMAGES, TOKENS))
    captions = np.concatenate([np.full((IMAGES, 1), END), tokens], axis=1)
    return model, data, images, captions


@pytest.fixture(scope="module", params=["vit_gpt2", "vit_gpt2_projection"])
def case(request):
    return load_case(request.param)


def test_logits_equal_those_of_transformers(case):
    model, data, images, captions = case
    encoded = ops.convert_to_numpy(model.image_encoder(images[:2]))
    np.testing.assert_allclose(encoded, data["encoded"], atol=1e-5)
    logits = ops.convert_to_numpy(model(images[:4], captions[:4]))
    np.testing.assert_allclose(logits, data["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name, beams", [("greedy", 1), ("beams", 4)])
def test_generated_tokens_equal_those_of_transformers(case, name, beams):
    model, data, images, _ = case
    settings = DecodingSettings(LENGTH, beams=beams, length_penalty=1.0)
    ids, scores = model.generate_tokens(images, settings, SpecialTokens(END, END, END))
    np.testing.assert_array_equal(ids[:, 0], data[name])
    if name == "beams":
        np.testing.assert_allclose(scores[:, 0], data["beam_scores"], rtol=1e-4)
    single, _ = model.generate_tokens(images[3:4], settings, SpecialTokens(END, END, END))
    np.testing.assert_array_equal(single[0, 0], data[name][3])


def test_loss_equals_that_of_transformers(case):
    model, data, images, captions = case
    loss = SmoothedCrossEntropy(0.0)
    model.compile(keras.optimizers.SGD(0.0), loss, weighted_metrics=[], jit_compile=False)
    loss = model.evaluate(
        {"images": images, "captions": captions[:, :-1]}, captions[:, 1:], IMAGES, verbose=0
    )
    np.testing.assert_allclose(loss, data["loss"], rtol=1e-5)


@pytest.mark.parametrize("name", ["vit_gpt2", "vit_gpt2_projection"])
def test_gradients_equal_those_of_transformers(name):
    model, data, images, captions = load_case(name, dropout=0.0)
    model.compile(keras.optimizers.SGD(1.0), SmoothedCrossEntropy(0.0), jit_compile=False)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    inputs = {"images": images, "captions": captions[:, :-1]}
    loss = model.train_on_batch(inputs, captions[:, 1:], return_dict=True)["loss"]
    np.testing.assert_allclose(loss, data["loss"], rtol=1e-5)
    after = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), data["gradient_norm"], rtol=1e-4)


def test_names_on_the_hub_and_in_memory_are_the_same_weights():
    config = json.loads((DATA / "vit_gpt2.json").read_text("utf-8"))
    model, data, _, _ = load_case("vit_gpt2")
    key = "encoder.layers.1.mlp.fc2.bias"
    expected = {weight.key for weight in vision_encoder_decoder.list_weights(model, config)}
    assert "encoder.encoder.layer.1.output.dense.bias" in expected
    assert f"weight:{key}" in data
    block = model.image_encoder.blocks[1]
    np.testing.assert_array_equal(
        ops.convert_to_numpy(block.mlp_output.bias), data[f"weight:{key}"]
    )


@pytest.mark.parametrize("part, model_type", [("encoder", "swin"), ("decoder", "opt")])
def test_other_encoders_and_decoders_are_rejected(part, model_type):
    config = json.loads((DATA / "vit_gpt2.json").read_text("utf-8"))
    config[part]["model_type"] = model_type
    with pytest.raises(ValueError, match=f"{part} must be .* Received: '{model_type}'"):
        vision_encoder_decoder.build_model(config)
    del config[part]
    with pytest.raises(ValueError, match=f"{part} must be .* Received: None"):
        vision_encoder_decoder.build_model(config)


def test_saved_model_has_the_same_outputs(case, tmp_path):
    model, _, images, captions = case
    model.save_to_preset(tmp_path / "preset")
    loaded = type(model).from_preset(tmp_path / "preset")
    found, expected = loaded(images[:2], captions[:2]), model(images[:2], captions[:2])
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-6, atol=1e-6
    )


def test_a_folder_captions_images_of_any_size(tmp_path):
    config, weights, _ = read_case("vit_gpt2")
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    vocabulary = {token: i for i, token in enumerate([*make_byte_characters(), "<|endoftext|>"])}
    config["decoder"]["vocab_size"] = len(vocabulary)
    for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id"):
        config[name] = len(vocabulary) - 1
    words = np.random.RandomState(1).normal(size=(len(vocabulary), 16)).astype("float32")
    weights["decoder.transformer.wte.weight"] = weights["decoder.lm_head.weight"] = words
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    processor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 16, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    model = load_checkpoint(folder)
    images = [np.random.RandomState(i).randint(0, 256, (30, 20 + i, 3), "uint8") for i in range(2)]
    captions = model.generate(images, beams=2)
    assert len(set(captions)) == 2
    model.save_to_preset(tmp_path / "preset")
    assert type(model).from_preset(tmp_path / "preset").generate(images, beams=2) == captions

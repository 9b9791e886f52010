"""Compares pairs of an encoder and a decoder with stored outputs of transformers."""

import importlib.util
import json

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from checkpoints.stored_cases import read_case
from keras import ops

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import vision_encoder_decoder
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)

IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY = 40
GPT2_CASES = ("vit_gpt2", "vit_gpt2_projection")
# JAX compiles for minutes, so that tests/test_backends.py, which hides TensorFlow, tests only the
# layers of these; `KERAS_BACKEND=jax pytest` tests all.
RELATIVE_CASES = ("beit_bert", "swin_roberta") if importlib.util.find_spec("tensorflow") else ()
CASES = (*GPT2_CASES, "vit_bert", "vit_roberta", "deit_bert", *RELATIVE_CASES)


def get_special_tokens(name):
    return SpecialTokens(39, 39, 39) if name in GPT2_CASES else SpecialTokens(2, 3, 1)


def load_case(name, dropout=None):
    """Returns the model with the weights of a case, its expected outputs, images and captions."""
    config, weights, expected = read_case(name)
    if dropout is not None:
        config["decoder"] |= {"resid_pdrop": dropout, "hidden_dropout_prob": dropout}
    model = vision_encoder_decoder.build_model(config)
    assign_weights(model, config, vision_encoder_decoder, weights)
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    random, special = np.random.RandomState(0), get_special_tokens(name)
    size = config["encoder"]["image_size"]
    images = random.normal(size=(IMAGES, size, size, 3)).astype("float32")
    first, end = (0, special.end) if name in GPT2_CASES else (special.end + 1, VOCABULARY)
    tokens = random.randint(first, end, (IMAGES, TOKENS))
    captions = np.concatenate([np.full((IMAGES, 1), special.start), tokens], axis=1)
    return model, expected, images, captions


@pytest.fixture(scope="module", params=CASES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def case(name):
    return load_case(name)


def test_logits_equal_those_of_transformers(case):
    model, expected, images, captions = case
    encoded = ops.convert_to_numpy(model.image_encoder(images[:2]))
    np.testing.assert_allclose(encoded, expected["encoded"], atol=1e-5)
    logits = ops.convert_to_numpy(model(images[:4], captions[:4]))
    np.testing.assert_allclose(logits, expected["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("search, beams", [("greedy", 1), ("beams", 4)])
def test_generated_tokens_equal_those_of_transformers(name, case, search, beams):
    model, expected, images, _ = case
    settings = DecodingSettings(LENGTH, beams=beams, length_penalty=1.0)
    special = get_special_tokens(name)
    ids, scores = model.generate_tokens(images, settings, special)
    np.testing.assert_array_equal(ids[:, 0], expected[search])
    if search == "beams" and name in GPT2_CASES:
        np.testing.assert_allclose(scores[:, 0], expected["beam_scores"], rtol=1e-4)
    single, _ = model.generate_tokens(images[3:4], settings, special)
    np.testing.assert_array_equal(single[0, 0], expected[search][3])


def test_loss_equals_that_of_transformers(case):
    model, expected, images, captions = case
    loss = SmoothedCrossEntropy(0.0)
    model.compile(keras.optimizers.SGD(0.0), loss, weighted_metrics=[], jit_compile=False)
    loss = model.evaluate(
        {"images": images, "captions": captions[:, :-1]}, captions[:, 1:], IMAGES, verbose=0
    )
    np.testing.assert_allclose(loss, expected["loss"], rtol=1e-5)


@pytest.mark.parametrize("trained_case", [*GPT2_CASES, *RELATIVE_CASES])
def test_gradients_equal_those_of_transformers(trained_case):
    model, expected, images, captions = load_case(trained_case, dropout=0.0)
    is_eager = keras.config.backend() == "tensorflow"  # Tracing takes longer than the step.
    model.compile(
        keras.optimizers.SGD(1.0),
        SmoothedCrossEntropy(0.0),
        jit_compile=False,
        run_eagerly=is_eager,
    )
    # The token types of BERT are part of its positions here, so that only the encoder is compared.
    trained = model if trained_case in GPT2_CASES else model.image_encoder
    before = [ops.convert_to_numpy(weight) for weight in trained.trainable_weights]
    inputs = {"images": images, "captions": captions[:, :-1]}
    loss = model.train_on_batch(inputs, captions[:, 1:], return_dict=True)["loss"]
    np.testing.assert_allclose(loss, expected["loss"], rtol=1e-5)
    after = [ops.convert_to_numpy(weight) for weight in trained.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), expected["gradient_norm"], rtol=1e-4)


def test_names_on_the_hub_and_in_memory_are_the_same_weights():
    config, weights, _ = read_case("vit_gpt2")
    model, *_ = load_case("vit_gpt2")
    key = "encoder.layers.1.mlp.fc2.bias"
    expected = {weight.key for weight in vision_encoder_decoder.list_weights(model, config)}
    assert "encoder.encoder.layer.1.output.dense.bias" in expected
    block = model.image_encoder.blocks[1]
    np.testing.assert_array_equal(ops.convert_to_numpy(block.mlp_output.bias), weights[key])


@pytest.mark.parametrize("part, model_type", [("encoder", "dinov2"), ("decoder", "opt")])
def test_other_encoders_and_decoders_are_rejected(part, model_type):
    config, _, _ = read_case("vit_gpt2")
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


def test_the_biases_and_words_of_the_head_may_be_stored_twice():
    for name, prefix in (("vit_bert", "decoder.cls."), ("vit_roberta", "decoder.lm_head.")):
        config, weights, _ = read_case(name)
        copies = {
            alias: weights[key]
            for alias, key in vision_encoder_decoder.TIED.items()
            if alias.startswith(prefix) and key in weights
        }
        assert len(copies) == 2
        model = vision_encoder_decoder.build_model(config)
        assign_weights(model, config, vision_encoder_decoder, {**weights, **copies})
        copies = {alias: value + 1 for alias, value in copies.items()}
        with pytest.raises(ValueError, match="must have the same values"):
            assign_weights(model, config, vision_encoder_decoder, {**weights, **copies})


@pytest.mark.parametrize("setting, value", [("hidden_act", "relu"), ("add_cross_attention", False)])
def test_unsupported_settings_of_the_decoder_raise(setting, value):
    config, _, _ = read_case("vit_bert")
    config["decoder"][setting] = value
    with pytest.raises(ValueError, match=f"`{setting}` of BERT must be"):
        vision_encoder_decoder.build_model(config)


@pytest.mark.parametrize(
    "name, setting, value",
    [
        ("beit_bert", "hidden_act", "silu"),
        ("beit_bert", "use_shared_relative_position_bias", True),
        ("swin_roberta", "qkv_bias", False),
        ("swin_roberta", "use_absolute_embeddings", True),
    ],
)
def test_unsupported_settings_of_the_encoder_raise(name, setting, value):
    config, _, _ = read_case(name)
    config["encoder"][setting] = value
    with pytest.raises(ValueError, match=setting):
        vision_encoder_decoder.build_model(config)


@pytest.mark.parametrize(
    "name, keys",
    [
        ("beit_bert", ["layer.1.attention.attention.{}.{}_table", "layer.0.lambda_2"]),
        (
            "swin_roberta",
            ["layers.1.blocks.0.attention.self.{}_table", "layers.0.downsample.norm.bias"],
        ),
    ],
)
def test_names_of_beit_and_swin_are_those_on_the_hub(name, keys):
    config, _, _ = read_case(name)
    model = vision_encoder_decoder.build_model(config)
    expected = {weight.key for weight in vision_encoder_decoder.list_weights(model, config)}
    bias = "relative_position_bias"
    assert {f"encoder.encoder.{key.format(bias, bias)}" for key in keys} <= expected


def check_captions(folder, distinct=2):
    model = load_checkpoint(folder)
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    # Large areas of one color, which remain different when they are resized.
    colors = np.random.RandomState(0).randint(0, 256, (3, 2, 2, 3), "uint8")
    images = [each.repeat(15, axis=0).repeat(10 + i, axis=1) for i, each in enumerate(colors)]
    captions = model.generate(images, beams=2)
    assert len(set(captions)) >= distinct
    assert model.generate(images[1], beams=2) == captions[1]
    model.save_to_preset(folder / "preset")
    loaded = type(model).from_preset(folder / "preset")
    loaded.compile(jit_compile=False)
    assert loaded.generate(images, beams=2) == captions
    return model


def test_a_folder_of_vit_and_gpt2_captions_images(tmp_path):
    check_captions(write_folder(tmp_path, "vit_gpt2"), distinct=3)


def test_a_folder_of_vit_and_bert_captions_images(tmp_path):
    write_folder(tmp_path, "vit_bert")
    check_captions(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["eos_token_id"] = 0
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match="`eos_token_id` must be that of the tokenizer, 3"):
        load_checkpoint(tmp_path)


def test_a_folder_of_vit_and_roberta_captions_images(tmp_path):
    write_folder(tmp_path, "vit_roberta")
    ids = json.loads((tmp_path / "vocab.json").read_text("utf-8"))
    tokenizer = check_captions(tmp_path).preprocessor.tokenizer
    assert tokenizer("<s>a</s>") == [0, ids["a"], 2]
    assert (tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.pad_token_id) == (0, 2, 1)


@pytest.mark.parametrize("name, grid", [("beit_bert", (2, 2)), ("swin_roberta", (4, 4))])
def test_folders_of_beit_and_swin_caption_and_explain_images(name, grid, tmp_path):
    pytest.importorskip("tensorflow")  # See `RELATIVE_CASES`.
    model = zoo.captioner(write_folder(tmp_path, name))
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    photo = np.random.RandomState(0).randint(0, 256, (30, 41, 3), "uint8")
    caption = model.generate(photo, beams=1, max_length=4, details=True)
    assert caption.attention.shape[1:] == model.image_encoder.grid == grid
    total = caption.attention.sum((1, 2))  # In BEiT, words attend to the class token as well.
    assert np.all(total < 1 + 1e-5) if name == "beit_bert" else np.allclose(total, 1, rtol=1e-5)

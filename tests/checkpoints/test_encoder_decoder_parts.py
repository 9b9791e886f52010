"""Vision encoder-decoder checkpoints besides ViT and GPT-2."""

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
IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY, PAD, START, END = 40, 1, 2, 3
SPECIAL = SpecialTokens(START, END, PAD)
CASES = ("vit_bert", "vit_roberta", "deit_bert")


def read_case(name):
    """Returns the configuration of a case, its weights, and its expected outputs."""
    with np.load(DATA / f"{name}.npz") as file:
        data = dict(file)
    weights = {
        key.removeprefix("weight:"): value.astype("float32")
        for key, value in data.items()
        if key.startswith("weight:")
    }
    return json.loads(str(data["config"])), weights, data


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """The model with the weights of a case, its expected outputs, images and captions."""
    config, weights, data = read_case(request.param)
    model = vision_encoder_decoder.build_model(config)
    assign_weights(model, config, vision_encoder_decoder, weights)
    model.compile(
        keras.optimizers.SGD(0.0), SmoothedCrossEntropy(0.0), weighted_metrics=[], jit_compile=False
    )
    random = np.random.RandomState(0)
    size = config["encoder"]["image_size"]
    images = random.normal(size=(IMAGES, size, size, 3)).astype("float32")
    tokens = random.randint(END + 1, VOCABULARY, (IMAGES, TOKENS))
    captions = np.concatenate([np.full((IMAGES, 1), START), tokens], axis=1)
    return model, data, images, captions


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
    ids, _ = model.generate_tokens(images, settings, SPECIAL)
    np.testing.assert_array_equal(ids[:, 0], data[name])
    single, _ = model.generate_tokens(images[3:4], settings, SPECIAL)
    np.testing.assert_array_equal(single[0, 0], data[name][3])


def test_loss_equals_that_of_transformers(case):
    model, data, images, captions = case
    inputs = {"images": images, "captions": captions[:, :-1]}
    loss = model.evaluate(inputs, captions[:, 1:], IMAGES, verbose=0)
    np.testing.assert_allclose(loss, data["loss"], rtol=1e-5)


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


@pytest.mark.parametrize("name, value", [("hidden_act", "relu"), ("add_cross_attention", False)])
def test_unsupported_settings_of_the_decoder_raise(name, value):
    config, _, _ = read_case("vit_bert")
    config["decoder"][name] = value
    with pytest.raises(ValueError, match=f"`{name}` of BERT must be"):
        vision_encoder_decoder.build_model(config)


def write_folder(folder, name, vocabulary, start, end, pad):
    """Writes a checkpoint as on the Hub, with a vocabulary of another size."""
    config, weights, _ = read_case(name)
    ids = {token: index for index, token in enumerate(vocabulary)}
    config |= {"decoder_start_token_id": ids[start], "eos_token_id": ids[end]}
    config |= {"pad_token_id": ids[pad], "model_type": "vision-encoder-decoder"}
    config["decoder"]["vocab_size"] = len(vocabulary)
    random = np.random.RandomState(1)
    for key, value in weights.items():
        if len(value) == VOCABULARY:
            shape = (len(vocabulary), *value.shape[1:])
            weights[key] = random.normal(size=shape).astype("float32")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    return ids


def check_captions(folder):
    model = load_checkpoint(folder)
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    # Large areas of one color, which remain different when they are resized.
    colors = np.random.RandomState(0).randint(0, 256, (3, 2, 2, 3), "uint8")
    images = [each.repeat(15, axis=0).repeat(10 + i, axis=1) for i, each in enumerate(colors)]
    captions = model.generate(images, beams=2)
    assert len(set(captions)) > 1
    assert model.generate(images[1], beams=2) == captions[1]
    model.save_to_preset(folder / "preset")
    loaded = type(model).from_preset(folder / "preset")
    loaded.compile(jit_compile=False)
    assert loaded.generate(images, beams=2) == captions
    return model


def test_a_folder_of_vit_and_bert_captions_images(tmp_path):
    words = [f"w{index}" for index in range(30)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    write_folder(tmp_path, "vit_bert", vocabulary, "[CLS]", "[SEP]", "[PAD]")
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    check_captions(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["eos_token_id"] = 0
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match="`eos_token_id` must be that of the tokenizer, 3"):
        load_checkpoint(tmp_path)


def test_a_folder_of_vit_and_roberta_captions_images(tmp_path):
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *make_byte_characters(), "<mask>"]
    ids = write_folder(tmp_path, "vit_roberta", vocabulary, "<s>", "</s>", "<pad>")
    (tmp_path / "vocab.json").write_text(json.dumps(ids), "utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    tokenizer = check_captions(tmp_path).preprocessor.tokenizer
    assert tokenizer("<s>a</s>") == [0, ids["a"], 2]
    assert (tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.pad_token_id) == (0, 2, 1)

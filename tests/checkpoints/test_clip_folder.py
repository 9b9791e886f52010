"""CLIP from a folder in the format of transformers, with its tokenizer and image processor."""

import json

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.tokenizers import ClipTokenizer

LABELS = ["cat", "dog", "bird"]
MERGES = ["c a", "d o"]
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


def read_vocabulary(folder):
    return json.loads((folder / "vocab.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("clip"), "clip")


@pytest.fixture(scope="module")
def model(folder):
    return load_checkpoint(folder)


def make_photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 40, 3), "uint8") for height in (35, 50)]


def test_classify_reads_images_and_labels(model):
    probabilities = model.classify(make_photos(), LABELS, "a {}")
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_texts_have_start_and_end_tokens(folder, model):
    vocabulary = read_vocabulary(folder)
    text = model.preprocessor({"text": ["A cab", "abcdefghijk"]})["text"]
    start, end = (vocabulary[token] for token in SPECIAL)
    short = [start, vocabulary["a</w>"], vocabulary["ca"], vocabulary["b</w>"], *[end] * 5]
    long = [start, *(vocabulary[letter] for letter in "abcdefg"), end]
    assert np.asarray(text["token_ids"]).tolist() == [short, long]
    assert np.asarray(text["padding_mask"]).tolist() == [[1] * 5 + [0] * 4, [1] * 9]


def test_tokenizer_json_equals_vocabulary_and_merges(folder, model, tmp_path):
    for path in folder.iterdir():
        if path.name not in ("vocab.json", "merges.txt"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    content = {
        "model": {"vocab": read_vocabulary(folder), "merges": MERGES, "end_of_word_suffix": "</w>"}
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    copy = load_checkpoint(tmp_path)
    np.testing.assert_array_equal(
        copy.embed("text", "a dog runs"), model.embed("text", "a dog runs")
    )


def test_missing_tokenizer_raises(folder, tmp_path):
    for path in folder.iterdir():
        if path.name != "vocab.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="must have tokenizer.json or vocab.json"):
        load_checkpoint(tmp_path)


def test_preset_gives_the_same_probabilities(model, tmp_path):
    model.save_to_preset(str(tmp_path / "preset"))
    copy = ContrastiveModel.from_preset(str(tmp_path / "preset"))
    assert isinstance(copy.preprocessor.tokenizer, ClipTokenizer)
    np.testing.assert_allclose(
        copy.classify(make_photos(), LABELS), model.classify(make_photos(), LABELS), atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "int8"])
def test_other_dtypes_are_close_to_float32(folder, model, dtype):
    copy = load_checkpoint(folder, dtype=dtype)
    for name, inputs in {"image": make_photos(), "text": LABELS}.items():
        cosines = np.sum(copy.embed(name, inputs) * model.embed(name, inputs), axis=1)
        assert cosines.min() > 0.98


def test_fit_on_raw_pairs(folder):
    model = load_checkpoint(folder)
    images = np.stack([photo[:32, :32] for photo in make_photos()])
    data = {"image": images, "text": ["a cat", "a dog"]}
    # XLA would compile the two encoders for minutes.
    model.compile(run_eagerly=keras.config.backend() == "tensorflow")
    history = model.fit(data, batch_size=2, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_factories_load_the_folder(folder, model):
    photos = make_photos()
    loaded = zoo.embedder(folder)
    np.testing.assert_allclose(
        loaded.embed("image", photos), model.embed("image", photos), rtol=1e-5, atol=1e-6
    )
    encoder = zoo.image_encoder(folder, trainable=False)
    assert not encoder.trainable_weights
    pixels = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(encoder(pixels)),
        keras.ops.convert_to_numpy(model.image_encoder(pixels)),
        rtol=1e-5,
        atol=1e-6,
    )

"""Compares `BlipMatcher` with stored outputs of transformers; see `make_blip_case.py`."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from checkpoints.test_blip import IMAGES, build
from keras import ops

from keras_mmfusion.models import BlipMatcher, ContrastiveModel
from keras_mmfusion.zoo.reference_checks import COMPUTE

# On TensorFlow, tracing a step would take longer than the few steps of a test.
RUN_EAGERLY = keras.config.backend() == "tensorflow"
TEXTS = ["w7", "w21 w9", "w30 w31 w7 w12"]


@pytest.fixture(scope="module")
def matcher():
    model, case = build("blip_matcher")
    model.compile(jit_compile=False)
    return model, case


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("blip_matcher"), "blip_matcher")


@pytest.fixture(scope="module")
def raw_matcher(folder):
    return ContrastiveModel.from_preset(folder)


def make_text(case):
    return {"token_ids": case["ids"], "padding_mask": case["ids"] != 0}


def to_number(tensor):
    return float(ops.convert_to_numpy(tensor))


def test_match_logits_are_those_of_transformers(matcher):
    model, case = matcher
    assert isinstance(model, BlipMatcher)
    tokens = model.image_encoder(case["images"].astype("float32"))
    logits = ops.convert_to_numpy(model.compute_match_logits(tokens, make_text(case)))
    np.testing.assert_allclose(logits, case["logits"], rtol=1e-5, atol=1e-5)


def test_cosines_are_those_of_transformers(matcher):
    model, case = matcher
    images = model.embed("image", case["images"].astype("float32"))
    texts = model.embed("text", make_text(case))
    np.testing.assert_allclose(images @ texts.T, case["cosines"], atol=1e-5)


def test_folder_becomes_a_model_that_matches_and_reranks(raw_matcher):
    model = raw_matcher
    ids = model.preprocessor({"text": ["W9 w30?"]})["text"]["token_ids"]
    assert np.asarray(ids)[0, :6].tolist() == [2, 9, 30, 1, 3, 0]
    text = model.preprocessor({"text": TEXTS})["text"]
    pixels = np.concatenate([model.preprocessor({"image": x[None]})["image"] for x in IMAGES])
    logits = ops.convert_to_numpy(model.compute_match_logits(model.image_encoder(pixels), text))
    expected = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    np.testing.assert_allclose(model.match(IMAGES, TEXTS, batch_size=2), expected, atol=1e-5)
    grid = np.stack([model.match(IMAGES, text) for text in TEXTS])
    np.testing.assert_allclose(np.diagonal(grid), expected, atol=1e-5)
    np.testing.assert_allclose(model.match(IMAGES[1], TEXTS), grid[:, 1], atol=1e-5)

    vectors = model.embed("image", IMAGES)
    indices, cosines = model.retrieve({"text": TEXTS}, vectors, k=2)
    texts, images = {"text": TEXTS}, {"image": IMAGES}
    new_indices, scores = model.rerank(texts, images, indices, cosines, batch_size=2)
    assert np.all(scores[:, 0] >= scores[:, 1])
    assert np.all(np.sort(new_indices) == np.sort(indices))
    ranked = model.rerank(images, texts, *model.retrieve(images, texts, k=3))
    cosines = vectors @ model.embed("text", TEXTS).T
    tokens = ops.repeat(model.image_encoder(pixels), 3, axis=0)
    tiled = {name: ops.tile(x, (3, 1)) for name, x in text.items()}
    logits = ops.convert_to_numpy(model.compute_match_logits(tokens, tiled))
    expected = cosines + logits[:, 1].reshape(3, 3)
    np.testing.assert_array_equal(ranked[0], np.argsort(-expected, axis=1))
    np.testing.assert_allclose(ranked[1], -np.sort(-expected, axis=1), atol=1e-5)


def test_outputs_are_compared_with_published_ones(raw_matcher):
    (probability,) = COMPUTE["match_probability"](raw_matcher, IMAGES[0], ("w7",))
    assert probability == pytest.approx(raw_matcher.match(IMAGES[0], "w7").item(), abs=1e-6)
    (cosine,) = COMPUTE["cosines"](raw_matcher, IMAGES[0], ("w7",))
    vectors = raw_matcher.embed("image", IMAGES[:1]), raw_matcher.embed("text", ["w7"])
    assert cosine == pytest.approx(np.sum(vectors[0] * vectors[1]).item(), abs=1e-6)


def test_invalid_pairs_raise(raw_matcher, matcher):
    with pytest.raises(ValueError, match="Received: 3 images and 2 texts"):
        raw_matcher.match(IMAGES, TEXTS[:2])
    with pytest.raises(ValueError, match=r"`images\[1\]`"):
        raw_matcher.match([IMAGES[0], b"no image"], TEXTS[:2])
    with pytest.raises(ValueError, match="must be of different modalities"):
        raw_matcher.rerank({"text": TEXTS}, {"text": TEXTS}, np.zeros((3, 1), int), np.ones((3, 1)))
    with pytest.raises(ValueError, match="`candidates` must be a dict of 'image' or 'text'"):
        raw_matcher.rerank({"text": TEXTS}, np.ones((3, 8)), np.zeros((3, 1), int), np.ones((3, 1)))
    with pytest.raises(ValueError, match="require a model with a `preprocessor`"):
        matcher[0].match(IMAGES, TEXTS)


def test_fit_trains_embeddings_and_match_logits(folder):
    model = BlipMatcher.from_preset(folder)
    model.compile(keras.optimizers.Adam(5e-3), jit_compile=False, run_eagerly=RUN_EAGERLY)
    data = {"image": np.stack(IMAGES), "text": np.array(TEXTS)}
    before = model.evaluate(data, batch_size=3, verbose=0, return_dict=True)["loss"]
    history = model.fit(data, batch_size=3, epochs=8, verbose=0)
    after = model.evaluate(data, batch_size=3, verbose=0, return_dict=True)["loss"]
    assert np.isfinite(history.history["loss"]).all()
    assert after < 0.7 * before
    assert sorted(model.predict(data, verbose=0)) == ["image", "text"]


def test_loss_is_the_sum_of_both_losses(matcher):
    model, case = matcher
    inputs = {"image": case["images"].astype("float32"), "text": make_text(case)}
    embeddings = {name: ops.convert_to_numpy(x) for name, x in model(inputs).items()}
    loss = to_number(model.compute_loss(inputs, y_pred=embeddings, training=False))
    embeddings_loss = to_number(model.pair_loss(embeddings["image"], embeddings["text"]))
    cosines = case["cosines"] - 9 * np.eye(4)
    text = make_text(case)

    def log_probs(images, texts):
        tokens = model.image_encoder(inputs["image"][images])
        selected = {name: x[texts] for name, x in text.items()}
        return ops.convert_to_numpy(
            ops.log_softmax(model.compute_match_logits(tokens, selected), axis=-1)
        )

    rows = np.arange(4)
    pairs = log_probs(rows, rows)[:, 1]
    negatives = log_probs(rows, cosines.argmax(1))[:, 0], log_probs(cosines.argmax(0), rows)[:, 0]
    expected = embeddings_loss - np.mean([pairs, *negatives])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    one = {"image": inputs["image"][:1], "text": {name: x[:1] for name, x in text.items()}}
    loss = to_number(model.compute_loss(one, y_pred=model(one), training=False))
    np.testing.assert_allclose(loss, -pairs[0] / 3, rtol=1e-5)


def test_saved_matchers_have_the_same_outputs(raw_matcher, tmp_path):
    raw_matcher.save(tmp_path / "matcher.keras")
    raw_matcher.save_to_preset(tmp_path / "preset")
    expected = raw_matcher.match(IMAGES, TEXTS)
    loaded = keras.saving.load_model(tmp_path / "matcher.keras")
    np.testing.assert_allclose(loaded.match(IMAGES, TEXTS), expected, atol=1e-6)
    loaded = ContrastiveModel.from_preset(tmp_path / "preset")
    assert isinstance(loaded, BlipMatcher)
    np.testing.assert_allclose(loaded.match(IMAGES, TEXTS), expected, atol=1e-6)
    mixed = ContrastiveModel.from_preset(tmp_path / "preset", dtype="mixed_bfloat16")
    np.testing.assert_allclose(mixed.match(IMAGES, TEXTS), expected, atol=0.1)

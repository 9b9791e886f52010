import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.layers import ModalityDropout
from keras_mmfusion.layers.fusion import SumFusion

NAMES = ("image", "text", "audio")
BATCH = 6000
INPUTS = {
    "image": np.ones((BATCH, 2), "float32"),
    "text": np.ones((BATCH, 4, 3), "float32"),
    "audio": np.ones((BATCH, 2), "float32"),
}
TEXT_MASK = np.random.default_rng(0).random((BATCH, 4)) < 0.5


def drop(rate, mask=None, seed=0, training=True, inputs=INPUTS):
    masks = ModalityDropout(rate, seed=seed)(inputs, mask=mask, training=training)
    return {name: to_numpy(value) > 0 for name, value in masks.items()}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_modalities_are_dropped_at_the_expected_rate(rate):
    masks = drop(rate)
    kept = np.stack([masks[name] for name in NAMES], axis=1)
    assert kept.any(axis=1).all()
    # A draw below the rate drops, except for the largest of three draws below the rate.
    expected = rate - rate**3 / 3
    np.testing.assert_allclose(1 - kept.mean(axis=0), expected, atol=0.025)
    assert (kept.sum(axis=1) == 1).mean() == pytest.approx(
        rate**3 + 3 * rate**2 * (1 - rate), abs=0.025
    )


def test_tokens_are_dropped_together_and_padding_stays_masked():
    mask = drop(0.5, {"text": TEXT_MASK})["text"]
    rows = mask.any(axis=1)
    np.testing.assert_array_equal(mask[rows], TEXT_MASK[rows])
    assert 0.5 < rows.mean() < 0.75


def test_last_modality_of_a_sample_is_kept():
    image_mask = np.arange(BATCH) % 2 == 0
    missing = {"text": np.zeros((BATCH, 4), "bool"), "audio": np.zeros(BATCH, "bool")}
    masks = drop(0.9, {"image": image_mask, **missing})
    np.testing.assert_array_equal(masks["image"], image_mask)
    assert not masks["text"].any() and not masks["audio"].any()


@pytest.mark.parametrize("settings", [{"rate": 0.5, "training": False}, {"rate": 0}])
def test_masks_do_not_change_without_dropout(settings):
    masks = drop(**settings, mask={"text": TEXT_MASK})
    np.testing.assert_array_equal(masks["text"], TEXT_MASK)
    assert masks["image"].all() and masks["image"].shape == (BATCH,)


def test_modality_missing_from_the_batch_gets_no_mask():
    masks = drop(0.9, inputs={**INPUTS, "text": None, "audio": None})
    assert list(masks) == ["image"] and masks["image"].all()


def test_seed_makes_draws_reproducible():
    first, same, other = (drop(0.5, seed=seed)["image"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_functional_model_trains_and_saves(tmp_path):
    inputs = {"image": keras.Input((2,), name="image"), "audio": keras.Input((2,), name="audio")}
    mask = ModalityDropout(0.5, seed=0)(inputs)
    model = keras.Model(inputs, SumFusion(("image", "audio"), 3)(inputs, mask))
    data = {name: INPUTS[name][:32] for name in inputs}
    expected = model.predict(data, verbose=0)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(data, np.ones((32, 3)), verbose=0).history["loss"]).all()
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert np.abs(expected).max() > 0
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(data, verbose=0), 0)


@pytest.mark.parametrize("rate", [-0.1, 1, True, "half"])
def test_invalid_rate_raises(rate):
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\)"):
        ModalityDropout(rate)


def test_all_modalities_missing_raises():
    with pytest.raises(ValueError, match="all modalities of `inputs` are missing"):
        ModalityDropout(0.5).call({"image": None})

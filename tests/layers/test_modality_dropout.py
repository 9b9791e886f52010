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
    layer = ModalityDropout(rate, seed=seed)
    return {
        name: to_numpy(m) > 0 for name, m in layer(inputs, mask=mask, training=training).items()
    }


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_how_often_a_modality_is_dropped(rate):
    found = drop(rate)
    kept = np.stack([found[name] for name in NAMES], axis=1)
    assert kept.any(axis=1).all()
    # Dropped by its own draw, unless that is the largest of three that are all below the rate.
    expected = rate - rate**3 / 3
    np.testing.assert_allclose(1 - kept.mean(axis=0), expected, atol=0.025)
    assert (kept.sum(axis=1) == 1).mean() == pytest.approx(
        rate**3 + 3 * rate**2 * (1 - rate), abs=0.025
    )


def test_tokens_are_dropped_together_and_padding_stays():
    found = drop(0.5, {"text": TEXT_MASK})["text"]
    rows = found.any(axis=1)
    np.testing.assert_array_equal(found[rows], TEXT_MASK[rows])
    assert 0.5 < rows.mean() < 0.75


def test_the_last_modality_of_a_sample_is_kept():
    has_image = np.arange(BATCH) % 2 == 0
    nothing = {"text": np.zeros((BATCH, 4), "bool"), "audio": np.zeros(BATCH, "bool")}
    found = drop(0.9, {"image": has_image, **nothing})
    np.testing.assert_array_equal(found["image"], has_image)
    assert not found["text"].any() and not found["audio"].any()


@pytest.mark.parametrize("settings", [{"rate": 0.5, "training": False}, {"rate": 0}])
def test_masks_pass(settings):
    found = drop(**settings, mask={"text": TEXT_MASK})
    np.testing.assert_array_equal(found["text"], TEXT_MASK)
    assert found["image"].all() and found["image"].shape == (BATCH,)


def test_an_absent_modality_is_none_of_the_samples():
    found = drop(0.9, inputs={**INPUTS, "text": None, "audio": None})
    assert list(found) == ["image"] and found["image"].all()


def test_the_seed_decides():
    one, again, other = (drop(0.5, seed=seed)["image"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_in_front_of_a_rule_in_a_functional_model(tmp_path):
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
def test_bad_rates(rate):
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\)"):
        ModalityDropout(rate)


def test_nothing_at_all():
    with pytest.raises(ValueError, match="all modalities of `inputs` are missing"):
        ModalityDropout(0.5).call({"image": None})

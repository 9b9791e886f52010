import keras
import numpy as np
import pytest

from keras_mmfusion.losses import SmoothedCrossEntropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 3, 5)).astype("float32")
TARGETS = RNG.integers(0, 5, (2, 3))
WEIGHTS = np.array([[1, 1, 0], [2, 0.5, 0]], "float32")


def reference(smoothing):
    """The loss of each target in NumPy float64."""
    logits = np.float64(LOGITS)
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    targets = np.full(LOGITS.shape, smoothing / 5) + (1 - smoothing) * np.eye(5)[TARGETS]
    return -(targets * log_probs).sum(axis=-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_loss_matches_numpy_reference(smoothing):
    loss = SmoothedCrossEntropy(smoothing, reduction=None)
    losses = keras.ops.convert_to_numpy(loss(TARGETS, LOGITS))
    np.testing.assert_allclose(losses, reference(smoothing), rtol=1e-5)


def test_default_reduction_is_the_weighted_mean():
    loss = float(SmoothedCrossEntropy(0.1)(TARGETS, LOGITS, WEIGHTS))
    expected = (reference(0.1) * WEIGHTS).sum() / WEIGHTS.sum()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_sum_reduction_applies_the_weights():
    loss = float(SmoothedCrossEntropy(0.1, reduction="sum")(TARGETS, LOGITS, WEIGHTS))
    assert loss == pytest.approx((reference(0.1) * WEIGHTS).sum(), rel=1e-5)


def test_float16_logits_are_summed_in_float32():
    logits = np.full((1, 1, 70000), 10, "float16")  # the sum of exponents overflows float16
    loss = float(SmoothedCrossEntropy(0.1)(np.zeros((1, 1), "int32"), logits))
    assert loss == pytest.approx(np.log(70000), rel=1e-4)


def test_config_round_trip():
    loss = SmoothedCrossEntropy(0.2, reduction="sum", name="loss")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert copy.get_config() == loss.get_config()
    assert copy.label_smoothing == 0.2


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_invalid_label_smoothing_raises(smoothing):
    with pytest.raises(ValueError, match=r"`label_smoothing` must be in \[0, 1\)"):
        SmoothedCrossEntropy(smoothing)

"""Calibration against references in NumPy, and its errors."""

import keras
import numpy as np
import pytest

from keras_mmfusion.calibration import (
    TemperatureScaling,
    VectorScaling,
    draw_reliability,
    expected_calibration_error,
    find_confidence_threshold,
    reliability_curve,
    risk_coverage_curve,
)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def draw_labels(logits, seed=0):
    """Draws labels from the probabilities of the logits, which are then calibrated."""
    thresholds = np.random.default_rng(seed).random((len(logits), 1))
    return (softmax(logits).cumsum(axis=1) < thresholds).sum(axis=1).clip(max=logits.shape[1] - 1)


LOGITS = np.random.default_rng(0).normal(size=(4000, 4)) * 2
LABELS = draw_labels(LOGITS)


def mean_loss(logits):
    return -np.log(softmax(logits)[np.arange(len(LABELS)), LABELS]).mean()


def test_temperature_scaling_finds_the_temperature_of_overconfident_logits():
    scaling = TemperatureScaling()
    scaling.adapt(LOGITS * 3, LABELS)
    temperature = float(scaling.temperature)
    assert temperature == pytest.approx(3, rel=0.1)
    losses = [mean_loss(LOGITS * 3 / (temperature * factor)) for factor in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)
    outputs = keras.ops.convert_to_numpy(scaling(LOGITS * 3))
    np.testing.assert_allclose(outputs, LOGITS * 3 / temperature, rtol=1e-5)
    before, after = (
        expected_calibration_error(LABELS, softmax(each)) for each in (LOGITS * 3, outputs)
    )
    assert after < 0.03 < before


def test_vector_scaling_finds_scales_and_biases():
    scale, bias = np.array([2.0, 1.0, 0.5, 1.5]), np.array([1.0, -1.0, 0.5, 0.0])
    scaling = VectorScaling()
    scaling.adapt((LOGITS - bias) / scale, LABELS)
    fitted = keras.ops.convert_to_numpy(scaling.scale), keras.ops.convert_to_numpy(scaling.bias)
    np.testing.assert_allclose(fitted[0], scale, rtol=0.15)
    # Biases are known up to a constant.
    np.testing.assert_allclose(fitted[1] - fitted[1].mean(), bias - bias.mean(), atol=0.15)


def test_separable_classes_give_finite_parameters():
    logits, labels = np.eye(3)[[0, 1, 2]], [0, 1, 2]
    for scaling in (TemperatureScaling(), VectorScaling()):
        scaling.adapt(logits, labels)
        assert np.isfinite(keras.ops.convert_to_numpy(scaling(logits))).all()


@pytest.mark.parametrize("layer_class", [TemperatureScaling, VectorScaling])
def test_scaling_is_saved_with_a_model(layer_class, tmp_path):
    scaling = layer_class()
    scaling.adapt(LOGITS * 3, LABELS)
    model = keras.Sequential([keras.Input((4,)), scaling])
    model.save(tmp_path / "scaled.keras")
    loaded = keras.models.load_model(tmp_path / "scaled.keras")
    np.testing.assert_allclose(loaded(LOGITS[:5]), model(LOGITS[:5]), rtol=1e-6)


def test_calibration_error_matches_reference():
    probabilities = softmax(LOGITS * 2)
    confidences, is_correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == LABELS
    expected, edges = 0.0, np.linspace(0, 1, 11)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (confidences > low) & (confidences <= high)
        if inside.any():
            gap = is_correct[inside].mean() - confidences[inside].mean()
            expected += inside.mean() * abs(gap)
    assert expected_calibration_error(LABELS, probabilities, bins=10) == pytest.approx(expected)


def test_risk_coverage_curve_matches_reference():
    probabilities = softmax(LOGITS[:300])
    curve = risk_coverage_curve(LABELS[:300], probabilities)
    confidences, is_wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != LABELS[:300]
    for threshold, coverage, risk in zip(*curve[:3], strict=True):
        accepted = confidences >= threshold
        assert coverage == pytest.approx(accepted.mean())
        assert risk == pytest.approx(is_wrong[accepted].mean())
    assert curve.area == pytest.approx(curve.risk.mean())  # without ties
    threshold = find_confidence_threshold(LABELS[:300], probabilities, max_risk=0.1)
    accepted = confidences >= threshold
    assert is_wrong[accepted].mean() <= 0.1
    assert is_wrong[confidences >= threshold - 0.02].mean() > 0.1 or accepted.all()
    assert find_confidence_threshold([1], [[0.9, 0.1]], max_risk=0.5) == float("inf")


def test_reliability_diagram_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    draw_reliability({"model": reliability_curve(LABELS, softmax(LOGITS))}, tmp_path / "a.svg")
    assert "accuracy" in (tmp_path / "a.svg").read_text() or (tmp_path / "a.svg").stat().st_size


def test_invalid_inputs_raise_an_error():
    with pytest.raises(ValueError, match="sum 6. Apply a softmax to logits"):
        expected_calibration_error([0], [[4.0, 2.0]])
    with pytest.raises(ValueError, match="class indices from 0 to 1. Received: 2"):
        TemperatureScaling().adapt([[0.0, 1.0]], [2])
    with pytest.raises(ValueError, match=r"Received: \(2,\) and \(1, 2\)"):
        VectorScaling().adapt([[0.0, 1.0]], [0, 1])
    with pytest.raises(ValueError, match="`logits` has 1 values that are NaN"):
        TemperatureScaling().adapt([[0.0, float("nan")]], [0])

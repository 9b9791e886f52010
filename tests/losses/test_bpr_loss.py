import numpy as np
import pytest

from keras_mmfusion.losses import BPRLoss


def reference(labels, scores):
    """Mean of -log σ(s_i - s_j) over the pairs with y_i > y_j, pair by pair."""
    losses = []
    for y, s in zip(labels, scores, strict=True):
        gaps = [s[i] - s[j] for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
        losses.append(np.mean(np.log1p(np.exp(-np.array(gaps)))) if gaps else 0.0)
    return np.array(losses)


def test_loss_matches_numpy_reference():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, (6, 5)).astype("float64"), rng.normal(size=(6, 5))
    labels[0] = 0  # no pair to compare
    losses = BPRLoss(reduction=None)(labels, scores)
    np.testing.assert_allclose(np.asarray(losses), reference(labels, scores), rtol=1e-5)
    weights = rng.random(6)
    mean = BPRLoss()(labels, scores, sample_weight=weights)
    assert float(mean) == pytest.approx(np.mean(weights * reference(labels, scores)), rel=1e-5)


def test_large_gaps_do_not_overflow():
    assert float(BPRLoss()([[1.0, 0.0]], [[-1e5, 1e5]])) == pytest.approx(2e5)

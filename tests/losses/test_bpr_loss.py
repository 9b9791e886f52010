import numpy as np
import pytest

from keras_mmfusion.losses import BPRLoss


def reference(taken, scores):
    """The mean of -log σ of every pair's gap, pair by pair."""
    values = []
    for y, s in zip(taken, scores, strict=True):
        gaps = [s[i] - s[j] for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
        values.append(np.mean(np.log1p(np.exp(-np.array(gaps)))) if gaps else 0.0)
    return np.array(values)


def test_it_is_the_formula():
    rng = np.random.default_rng(0)
    taken, scores = rng.integers(0, 2, (6, 5)).astype("float64"), rng.normal(size=(6, 5))
    taken[0] = 0  # Nothing to compare.
    found = BPRLoss(reduction=None)(taken, scores)
    np.testing.assert_allclose(np.asarray(found), reference(taken, scores), rtol=1e-5)
    weights = rng.random(6)
    mean = BPRLoss()(taken, scores, sample_weight=weights)
    assert float(mean) == pytest.approx(np.mean(weights * reference(taken, scores)), rel=1e-5)


def test_large_gaps_do_not_overflow():
    assert float(BPRLoss()([[1.0, 0.0]], [[-1e5, 1e5]])) == pytest.approx(2e5)

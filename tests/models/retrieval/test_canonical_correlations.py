import numpy as np
import pytest

from keras_mmfusion.losses import DeepCCALoss
from keras_mmfusion.models.retrieval import canonical_projections

RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=(400, 2))
A = np.concatenate([SHARED, RNG.normal(size=(400, 3))], axis=1) @ RNG.normal(size=(5, 5)) + 7
B = (SHARED + 0.1 * RNG.normal(size=(400, 2))) @ RNG.normal(size=(2, 4))
B += 0.5 * RNG.normal(size=(400, 4))


def test_projections_are_uncorrelated_except_for_matching_dims():
    of_a, of_b = canonical_projections(A, B, regularization=1e-9)
    a, b = of_a(A), of_b(B)
    assert a.shape == b.shape == (400, 4)
    correlations = np.corrcoef(a.T, b.T)
    within = np.eye(4)
    np.testing.assert_allclose(correlations[:4, :4], within, atol=1e-3)
    np.testing.assert_allclose(correlations[4:, 4:], within, atol=1e-3)
    between = correlations[:4, 4:]
    np.testing.assert_allclose(between, np.diag(np.diag(between)), atol=1e-3)
    assert np.all(np.diff(np.diag(between)) < 0)


def test_correlations_match_deep_cca_loss():
    of_a, of_b = canonical_projections(A, B, regularization=1e-6)
    total = np.sum([np.corrcoef(x, y)[0, 1] for x, y in zip(of_a(A).T, of_b(B).T, strict=True)])
    loss = DeepCCALoss(regularization=1e-6)(A.astype("float32"), B.astype("float32"))
    assert float(loss) == pytest.approx(-total, abs=1e-3)


def test_different_numbers_of_rows_are_an_error():
    with pytest.raises(ValueError, match=r"Received shapes: \(400, 5\) and \(10, 4\)"):
        canonical_projections(A, B[:10])

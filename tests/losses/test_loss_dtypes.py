"""Losses of integers, bool and float64 equal those of float32."""

import numpy as np
import pytest
from layer_checks import DTYPES, to_numpy

from keras_mmfusion import losses

RNG = np.random.default_rng(0)
A, B = ((RNG.random((6, 4)) < 0.5).astype("float32") for _ in range(2))
TOKENS = RNG.integers(0, 4, 6).astype("float32")
ARGUMENTS = {"HazardLoss": {"boundaries": (1.0, 2.0, 3.0, 4.0)}}


@pytest.mark.parametrize("name", sorted({*losses.__all__} - {"PairLoss"}))  # the base class
def test_losses_accept_any_numeric_dtype(name):
    loss = getattr(losses, name)(**ARGUMENTS.get(name, {}))
    targets, outputs = A, B
    if name in ("SmoothedCrossEntropy", "SelfCriticalLoss"):
        targets = TOKENS
    elif name in ("CoxLoss", "HazardLoss"):
        targets = A[:, :2]  # Times and events.
        outputs = B[:, :1] if name == "CoxLoss" else B
    expected = to_numpy(loss(targets, outputs))
    assert np.isfinite(expected)
    for dtype in DTYPES:
        y_true = targets if targets is TOKENS and dtype == "bool" else targets.astype(dtype)
        np.testing.assert_allclose(
            to_numpy(loss(y_true, outputs.astype(dtype))), expected, rtol=1e-5
        )

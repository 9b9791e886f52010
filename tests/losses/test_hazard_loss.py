import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.losses import HazardLoss

BOUNDARIES = (2.0, 5.0, 9.0)


def reference(time, event, logits):
    """The log-likelihood of one sample, interval by interval."""
    start, loss = 0.0, 0.0
    for end, logit in zip(BOUNDARIES, logits, strict=True):
        hazard = 1 / (1 + np.exp(-logit))
        if event and time <= end:
            return loss - np.log(hazard)
        if not event and time < (start + end) / 2:
            return loss
        loss -= np.log(1 - hazard)
        start = end
    return loss


def test_loss_matches_numpy_reference():
    rng = np.random.default_rng(0)
    times = np.concatenate([rng.uniform(0, 12, 60), [0, 0, 2, 2, 5, 9, 9, 3.5]])
    events, logits = rng.integers(0, 2, len(times)), rng.normal(size=(len(times), 3))
    events[-8:-4] = [0, 1, 0, 1]
    losses = HazardLoss(BOUNDARIES, reduction=None)(np.stack([times, events], axis=1), logits)
    expected = [reference(*sample) for sample in zip(times, events, logits, strict=True)]
    np.testing.assert_allclose(to_numpy(losses), expected, rtol=1e-5, atol=1e-6)


def test_constant_hazard_is_estimated_by_events_per_survived_intervals():
    # The maximum likelihood estimate of the first hazard is 2 events of 4 samples: logit 0.
    y_true = [[1.0, 1.0], [2.0, 1.0], [9.0, 0.0], [12.0, 1.0]]
    losses = [
        float(HazardLoss(BOUNDARIES)(y_true, [[logit, -3.0, -3.0]] * 4))
        for logit in (-0.1, 0.0, 0.1)
    ]
    assert losses[1] == min(losses)


def test_extreme_logits_do_not_overflow():
    assert float(HazardLoss((1.0,))([[1.0, 1.0]], [[-1e5]])) == pytest.approx(1e5)


def test_config_round_trip():
    loss = HazardLoss(BOUNDARIES)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert copy.boundaries == BOUNDARIES


@pytest.mark.parametrize("boundaries", [(), (0.0, 1.0), (2.0, 1.0), (1.0, float("inf")), 3.0])
def test_invalid_boundaries_raise_an_error(boundaries):
    with pytest.raises(ValueError, match="`boundaries` must be positive numbers that increase"):
        HazardLoss(boundaries)

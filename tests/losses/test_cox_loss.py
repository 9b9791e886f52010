import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.losses import CoxLoss


def reference(times, events, risks):
    """Efron's negative partial log-likelihood, time by time."""
    total = 0.0
    for time in np.unique(times[events == 1]):
        dying = (times == time) & (events == 1)
        at_risk, tied = np.exp(risks[times >= time]).sum(), np.exp(risks[dying]).sum()
        count = dying.sum()
        total -= risks[dying].sum()
        total += sum(np.log(at_risk - step / count * tied) for step in range(count))
    return total


def make_samples(seed=0, samples=40):
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 12, samples).astype("float64")  # with ties, also with censoring
    return times, rng.integers(0, 2, samples).astype("float64"), rng.normal(size=samples) * 2


@pytest.mark.parametrize("seed", range(3))
def test_sum_is_the_partial_log_likelihood_with_ties(seed):
    times, events, risks = make_samples(seed)
    y_true = np.stack([times, events], axis=1)
    loss = CoxLoss(reduction="sum")(y_true, risks[:, None])
    np.testing.assert_allclose(to_numpy(loss), reference(times, events, risks), rtol=1e-5)


def test_order_of_the_batch_does_not_change_the_sum():
    times, events, risks = make_samples()
    order = np.random.default_rng(1).permutation(len(times))
    y_true = np.stack([times, events], axis=1)
    sums = [
        to_numpy(CoxLoss(reduction="sum")(y_true[index], risks[index, None]))
        for index in (slice(None), order)
    ]
    np.testing.assert_allclose(*sums, rtol=1e-5)


def test_sample_weights_multiply_the_terms():
    times, events, risks = make_samples()
    y_true, weights = np.stack([times, events], axis=1), np.arange(len(times)) % 3.0
    terms = to_numpy(CoxLoss(reduction=None)(y_true, risks[:, None]))
    mean = CoxLoss()(y_true, risks[:, None], sample_weight=weights)
    np.testing.assert_allclose(to_numpy(mean), np.mean(weights * terms), rtol=1e-5)


def test_extreme_risks_do_not_overflow():
    # The highest risk belongs to a sample that is no longer at risk at time 2.
    y_true = [[1.0, 1.0], [2.0, 1.0], [3.0, 0.0]]
    losses = to_numpy(CoxLoss(reduction=None)(y_true, [[1e4], [-1e4], [0.0]]))
    np.testing.assert_allclose(losses, [0.0, 1e4, 0.0], atol=1e-6)


def test_batch_without_events_has_the_loss_zero():
    assert float(CoxLoss()([[1.0, 0.0], [2.0, 0.0]], [[1.0], [2.0]])) == 0

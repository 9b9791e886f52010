"""The log-rank test."""

import math
from typing import NamedTuple

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_comparable
from keras_mmfusion.metrics.survival.survival_times import check_survival


class LogRankTest(NamedTuple):
    """The statistic, its p-value, and the degrees of freedom of its χ² distribution."""

    statistic: float
    p_value: float
    degrees_of_freedom: int


def log_rank_test(times, events, groups):
    """Tests whether two or more groups have the same survival curve.

    ```
    χ² = (O - E)ᵀ V⁻¹ (O - E)
    ```

    `O` are the events of each group but one, `E` and `V` their expectation and covariance if all
    groups had the same hazard at each time. The p-value is from the χ² distribution with one
    degree of freedom less than groups, which holds for large samples. Groups that were chosen by
    the outcome of the same samples make it invalid.

    Args:
        times, events: see `check_survival`.
        groups: sequence `(samples,)` of the groups, such as `"low"` and `"high"`.

    Returns:
        A `LogRankTest`.

    Raises:
        ValueError: if an input is invalid, all samples are censored, or there is only one group.

    Example:

    >>> times, groups = [1, 2, 3, 4, 5, 6, 7, 8], ["high"] * 4 + ["low"] * 4
    >>> test = log_rank_test(times, [1] * 8, groups)
    >>> round(test.statistic, 2), round(test.p_value, 3)
    (7.34, 0.007)

    Reference:
        Mantel, "Evaluation of Survival Data and Two New Rank Order Statistics Arising in Its
        Consideration", 1966.
    """
    times, events = check_survival(times, events)
    groups = np.asarray(groups)
    if groups.shape != times.shape:
        raise ValueError(
            f"`groups` must have the shape of `times`, {times.shape}. Received: {groups.shape}"
        )
    check_comparable(groups=groups.tolist())
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"`groups` must have at least two groups. Received: {names.tolist()}")
    event_times, order = np.unique(times[events], return_inverse=True)
    is_member = index[:, None] == np.arange(len(names))
    at_risk = (times[None, :] >= event_times[:, None]).astype(float) @ is_member
    deaths = np.zeros(at_risk.shape)
    np.add.at(deaths, (order, index[events]), 1)
    total_risk, total_deaths = at_risk.sum(axis=1), deaths.sum(axis=1)
    shares = at_risk / total_risk[:, None]
    excess = (deaths - total_deaths[:, None] * shares).sum(axis=0)
    # With a single sample at risk, its death is certain and has no variance.
    factors = total_deaths * (total_risk - total_deaths) / np.maximum(total_risk - 1, 1)
    covariance = np.diag(factors @ shares) - (shares * factors[:, None]).T @ shares
    excess, covariance = excess[:-1], covariance[:-1, :-1]
    # A group without variance, such as one censored before the first event, adds nothing.
    statistic = float(excess @ np.linalg.pinv(covariance, hermitian=True) @ excess)
    freedom = len(names) - 1
    return LogRankTest(statistic, _chi2_tail(statistic, freedom), freedom)


def _chi2_tail(value, freedom):
    """Returns the probability that a χ² variable exceeds `value`.

    It is the regularized gamma function `Q(freedom / 2, value / 2)`, by the recursion
    `Q(a + 1, x) = Q(a, x) + x^a e^-x / Γ(a + 1)`.
    """
    x = value / 2
    if x <= 0:
        return 1.0
    shape = 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(x)) if freedom % 2 else math.exp(-x)
    while shape < freedom / 2:
        tail += math.exp(shape * math.log(x) - x - math.lgamma(shape + 1))
        shape += 1
    return min(tail, 1.0)

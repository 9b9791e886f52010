"""Kaplan-Meier curves."""

import statistics
from typing import NamedTuple

import numpy as np

from keras_mmfusion._checks import check_proportion
from keras_mmfusion.metrics.comparable_values import check_not_nan
from keras_mmfusion.metrics.survival.survival_times import check_survival


class KaplanMeierCurve(NamedTuple):
    """A step function: the probability of no event until a time, with a confidence interval.

    All fields are arrays `(times,)`. `times` are the distinct times of events and censoring;
    `at_risk` and `events` are counts at each time; `low` and `high` are the bounds.
    """

    times: np.ndarray
    survival: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray

    def at(self, times):
        """Returns the survival at times: an array of the same shape.

        It is 1 before the first time, and NaN after the last one unless it is 0 there.
        """
        times = np.asarray(times, "float64")
        check_not_nan(times=times)
        index = np.searchsorted(self.times, times, side="right")
        values = np.concatenate([[1.0], self.survival])[index]
        return np.where((times > self.times[-1]) & (values > 0), np.nan, values)

    @property
    def median(self):
        """The first time at which survival is at most 0.5; infinity if there is none."""
        below = np.flatnonzero(self.survival <= 0.5)
        return float(self.times[below[0]]) if len(below) else float("inf")


def kaplan_meier_curve(times, events, confidence=0.95):
    """Estimates the probability of no event until each time from censored samples.

    ```
    S(t) = Π_{t_k <= t} (1 - d_k / n_k)
    ```

    `d_k` of the `n_k` samples at risk have an event at time `t_k`. The pointwise confidence
    interval is Greenwood's, on the scale of `log(-log S)`.

    Args:
        times, events: see `check_survival`.
        confidence: float between 0 and 1.

    Returns:
        A `KaplanMeierCurve`, a named tuple of arrays `(distinct times,)`: `times`, `survival`,
        `low`, `high`, `at_risk` and `events`. `at(times)` evaluates the curve, and `median` is the
        median survival time.

    Raises:
        ValueError: if times or events are invalid, or `confidence` is not between 0 and 1.

    Example:

    >>> curve = kaplan_meier_curve([2, 3, 3, 5, 8], [1, 1, 0, 1, 0])
    >>> curve.survival.round(2).tolist(), curve.median
    ([0.8, 0.6, 0.3, 0.3], 5.0)
    >>> curve.at([0, 4]).round(2).tolist()
    [1.0, 0.6]

    Reference:
        Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", 1958;
        Kalbfleisch and Prentice, "The Statistical Analysis of Failure Time Data", 2002, section
        1.4, for the interval.
    """
    times, events = check_survival(times, events, allow_all_censored=True)
    check_proportion(None, "confidence", confidence)
    distinct, at_risk, deaths, _ = count_at_times(times, events)
    survival = np.cumprod(1 - deaths / at_risk)
    survivors = at_risk - deaths
    # Where nobody survives, the curve is 0 and has no interval.
    terms = np.divide(deaths, at_risk * survivors, out=np.zeros(len(deaths)), where=survivors > 0)
    inside = (survival > 0) & (survival < 1)
    logs = np.log(survival, out=np.full(len(survival), -1.0), where=inside)
    margin = (
        statistics.NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(np.cumsum(terms)) / logs
    )
    low, high = (
        np.where(inside, np.exp(logs * np.exp(sign * margin)), survival) for sign in (-1, 1)
    )
    return KaplanMeierCurve(distinct, survival, low, high, at_risk, deaths)


def count_at_times(times, events):
    """Counts samples at each distinct time.

    Returns:
        A tuple of arrays `(times,)`: the distinct times, the samples at risk, the events, and the
        samples that are censored.
    """
    distinct, index, counts = np.unique(times, return_inverse=True, return_counts=True)
    deaths = np.bincount(index, weights=events).astype(int)
    at_risk = len(times) - np.cumsum(counts) + counts
    return distinct, at_risk, deaths, counts - deaths

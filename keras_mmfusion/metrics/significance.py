"""How sure a score is: bootstrap confidence intervals and a paired test of two systems."""

import numbers
from typing import NamedTuple

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_finite


class Interval(NamedTuple):
    """A statistic of a sample and the ends of its confidence interval."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """The difference of two systems, its confidence interval, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(scores, statistic=None, confidence=0.95, resamples=1000, seed=0):
    """Confidence interval of a score by resampling the samples it is made of.

    The samples are drawn anew, as many and with replacement; the interval holds the middle
    `confidence` of the statistic's values over the resamples (the percentile bootstrap).

    Args:
        scores: dict of id -> value, such as `coco_caption_scores(..., per_image=True)` has for
            each metric, or a sequence of values. A value is a number, or anything that `statistic`
            takes.
        statistic: function from a list of values to a float. The mean by default; for a corpus
            metric that is no mean (BLEU, F1), a function that scores the drawn samples.
        confidence: float between 0 and 1.
        resamples: int. How often the samples are drawn anew.
        seed: int. Makes the draws repeatable.

    Returns:
        An `Interval` of floats: `value`, `low`, `high`.

    Raises:
        ValueError: if there are no samples, a value or the statistic is NaN or infinite,
            `confidence` is not between 0 and 1, or `resamples` is no positive integer.

    Example:

    >>> interval = bootstrap_interval([0.0, 0.5, 1.0] * 20)
    >>> interval.value, round(interval.low, 2), round(interval.high, 2)
    (0.5, 0.4, 0.61)

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    samples = list(_samples("scores", scores, statistic).values())
    _check(samples, confidence, resamples)
    value, draws = _resample(samples, statistic, resamples, seed)
    low, high = _ends(draws, confidence)
    return Interval(value, low, high)


def paired_bootstrap_test(first, second, statistic=None, confidence=0.95, resamples=1000, seed=0):
    """Is one system better than another on the same samples, or may it be chance?

    Both systems are scored on the same draws of samples. The p-value is the share of draws in
    which the difference is on the other side of zero, or on it, twice (two-sided), where each
    count is one higher so that it is never 0.

    Args:
        first: dict of id -> value, or a sequence of values.
        second: the other system's, of the same ids, or in the same order.
        statistic: function from a list of values to a float; the mean by default.
        confidence: float between 0 and 1.
        resamples: int. How often the samples are drawn anew.
        seed: int. Makes the draws repeatable.

    Returns:
        A `Comparison` of floats: `difference` (second less first), `low`, `high`, `p_value`.

    Raises:
        ValueError: if the two have different ids or lengths, or for a reason of
            `bootstrap_interval`.

    Example:

    >>> worse = {1: 0.2, 2: 0.5, 3: 0.3, 4: 0.1}
    >>> better = {1: 0.4, 2: 0.6, 3: 0.6, 4: 0.2}
    >>> result = paired_bootstrap_test(worse, better)
    >>> round(result.difference, 3), round(result.p_value, 3)
    (0.175, 0.002)

    Reference:
        Koehn, "Statistical Significance Tests for Machine Translation Evaluation" (2004).
    """
    both_named = hasattr(first, "keys") and hasattr(second, "keys")
    first, second = _samples("first", first, statistic), _samples("second", second, statistic)
    if not both_named and len(first) != len(second):
        raise ValueError(
            f"`first` and `second` must have one length, not {len(first)} and {len(second)}."
        )
    if first.keys() != second.keys():
        raise ValueError(
            "`first` and `second` must have the same ids; these are in one only: "
            f"{sorted(map(str, first.keys() ^ second.keys()))[:20]}"
        )
    pairs = [(first[i], second[i]) for i in first]
    _check(pairs, confidence, resamples)
    if statistic is None:
        check_finite(first=list(first.values()), second=list(second.values()))
        value, draws = _resample([b - a for a, b in pairs], None, resamples, seed)
    else:

        def difference(drawn):
            return statistic([b for _, b in drawn]) - statistic([a for a, _ in drawn])

        value, draws = _resample(pairs, difference, resamples, seed)
    low, high = _ends(draws, confidence)
    beyond = min(np.sum(draws <= 0), np.sum(draws >= 0))
    p_value = min(1.0, 2.0 * (beyond + 1) / (resamples + 1))
    return Comparison(value, low, high, float(p_value))


def _samples(name, scores, statistic):
    """The samples' values by their ids or, of a sequence, their positions."""
    if isinstance(scores, (str, bytes)) or not hasattr(scores, "__iter__"):
        raise ValueError(
            f"`{name}` must be a dict of id -> value, or a list of values. Received: "
            f"{type(scores).__name__}"
        )
    samples = dict(scores) if hasattr(scores, "keys") else dict(enumerate(scores))
    for key, value in samples.items():
        if statistic is None and not isinstance(value, (numbers.Real, np.bool_)):
            raise ValueError(
                f"`{name}` must be numbers, as there is no `statistic`. Received: {value!r:.80} "
                f"for {key!r}"
            )
    return samples


def _check(samples, confidence, resamples):
    if not samples:
        raise ValueError("`scores` must have at least one sample.")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1, not {confidence}.")
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 1:
        raise ValueError(f"`resamples` must be a positive integer. Received: {resamples!r}")


def _resample(samples, statistic, resamples, seed):
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(samples), size=(resamples, len(samples)))
    if statistic is None:
        values = np.asarray(samples, dtype=float)
        check_finite(scores=values)
        return float(values.mean()), values[draws].mean(axis=1)
    value = float(statistic(samples))
    values = np.array([float(statistic([samples[i] for i in draw])) for draw in draws])
    if not np.isfinite([value, *values]).all():
        raise ValueError(
            "`statistic` gives NaN or infinity for all samples, or for some draws of them: for a "
            "score that may be undefined there is no interval."
        )
    return value, values


def _ends(draws, confidence):
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)

"""Bootstrap confidence intervals and a paired bootstrap test of two systems."""

import numbers
from typing import NamedTuple

import numpy as np

from keras_mmfusion._checks import check_integer, check_proportion
from keras_mmfusion.metrics.comparable_values import check_finite


class Interval(NamedTuple):
    """A statistic and the bounds of its confidence interval."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """The difference between two systems, its confidence interval, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(scores, statistic=None, confidence=0.95, resamples=1000, seed=0):
    """Computes the confidence interval of a score with the percentile bootstrap.

    The samples are resampled with replacement `resamples` times; the interval is the central
    `confidence` share of the resampled statistics.

    Args:
        scores: dict of id -> value, such as the scores of each image from
            `coco_caption_scores(..., per_image=True)`, or a sequence of values. A value is a
            number, or any input of `statistic`.
        statistic: function from a list of values to a float. Defaults to the mean. For a corpus
            metric that is not a mean (BLEU, F1), a function that scores the resampled values.
        confidence: float between 0 and 1.
        resamples: int. The number of resamples.
        seed: int. The seed of the resampling.

    Returns:
        An `Interval` of floats: `value`, `low`, `high`.

    Raises:
        ValueError: if there are no samples, a value or the statistic is NaN or infinite,
            `confidence` is not between 0 and 1, or `resamples` is not a positive integer.

    Example:

    >>> interval = bootstrap_interval([0.0, 0.5, 1.0] * 20)
    >>> interval.value, round(interval.low, 2), round(interval.high, 2)
    (0.5, 0.4, 0.61)

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    samples = list(_to_dict("scores", scores, statistic).values())
    _check(samples, confidence, resamples)
    value, draws = _resample(samples, statistic, resamples, seed)
    low, high = _find_bounds(draws, confidence)
    return Interval(value, low, high)


def paired_bootstrap_test(first, second, statistic=None, confidence=0.95, resamples=1000, seed=0):
    """Tests whether the difference between two systems on the same samples is significant.

    Both systems are scored on the same resamples. The two-sided p-value is twice the share of
    resamples in which the difference is zero or has the other sign; both counts are increased
    by 1, so the p-value is never 0.

    Args:
        first: dict of id -> value, or a sequence of values.
        second: dict of id -> value with the same ids, or a sequence in the same order.
        statistic: function from a list of values to a float. Defaults to the mean.
        confidence: float between 0 and 1.
        resamples: int. The number of resamples.
        seed: int. The seed of the resampling.

    Returns:
        A `Comparison` of floats: `difference` (second minus first), `low`, `high`, `p_value`.

    Raises:
        ValueError: if the ids or lengths differ, or for a reason of `bootstrap_interval`.

    Example:

    >>> worse = {1: 0.2, 2: 0.5, 3: 0.3, 4: 0.1}
    >>> better = {1: 0.4, 2: 0.6, 3: 0.6, 4: 0.2}
    >>> result = paired_bootstrap_test(worse, better)
    >>> round(result.difference, 3), round(result.p_value, 3)
    (0.175, 0.002)

    Reference:
        Koehn, "Statistical Significance Tests for Machine Translation Evaluation" (2004).
    """
    have_ids = hasattr(first, "keys") and hasattr(second, "keys")
    first, second = _to_dict("first", first, statistic), _to_dict("second", second, statistic)
    if not have_ids and len(first) != len(second):
        raise ValueError(
            f"`first` and `second` must have the same length, not {len(first)} and {len(second)}."
        )
    if first.keys() != second.keys():
        raise ValueError(
            "`first` and `second` must have the same ids; these are in only one: "
            f"{sorted(map(str, first.keys() ^ second.keys()))[:20]}"
        )
    pairs = [(first[i], second[i]) for i in first]
    _check(pairs, confidence, resamples)
    if statistic is None:
        check_finite(first=list(first.values()), second=list(second.values()))
        value, draws = _resample([b - a for a, b in pairs], None, resamples, seed)
    else:

        def subtract(resampled):
            return statistic([b for _, b in resampled]) - statistic([a for a, _ in resampled])

        value, draws = _resample(pairs, subtract, resamples, seed)
    low, high = _find_bounds(draws, confidence)
    opposite = min(np.sum(draws <= 0), np.sum(draws >= 0))
    p_value = min(1.0, 2.0 * (opposite + 1) / (resamples + 1))
    return Comparison(value, low, high, float(p_value))


def _to_dict(name, scores, statistic):
    """Returns a dict of id (for a sequence: index) -> value."""
    if isinstance(scores, (str, bytes)) or not hasattr(scores, "__iter__"):
        raise ValueError(
            f"`{name}` must be a dict of id -> value, or a list of values. Received: "
            f"{type(scores).__name__}"
        )
    samples = dict(scores) if hasattr(scores, "keys") else dict(enumerate(scores))
    for key, value in samples.items():
        if statistic is None and not isinstance(value, (numbers.Real, np.bool_)):
            raise ValueError(
                f"`{name}` must be numbers, since `statistic` is `None`. Received: {value!r:.80} "
                f"for {key!r}"
            )
    return samples


def _check(samples, confidence, resamples):
    if not samples:
        raise ValueError("`scores` must have at least one sample.")
    check_proportion(None, "confidence", confidence)
    check_integer(None, "resamples", resamples)


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
            "`statistic` returns NaN or infinity for the samples or some resamples: a score that "
            "can be undefined has no interval."
        )
    return value, values


def _find_bounds(draws, confidence):
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)

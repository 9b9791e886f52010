"""Inverse probability of censoring weights."""

import numpy as np

from keras_mmfusion.metrics.survival.kaplan_meier import count_at_times


def not_censored_probabilities(times, events, at):
    """Estimates the probability that a sample is not yet censored at given times.

    It is the Kaplan-Meier curve of censoring. Where events and censoring have the same time, the
    events come first.

    Args:
        times, events: arrays of checked training samples, which estimate the curve.
        at: float array.

    Returns:
        Float array of the shape of `at`.

    Raises:
        ValueError: if a time is after the last training time, where the curve is unknown, or if
            the probability is 0.
    """
    at = np.asarray(at, "float64")
    distinct, at_risk, deaths, censored = count_at_times(times, events)
    remaining = at_risk - deaths
    rates = np.divide(censored, remaining, out=np.zeros(len(distinct)), where=remaining > 0)
    curve = np.concatenate([[1.0], np.cumprod(1 - rates)])
    probabilities = curve[np.searchsorted(distinct, at, side="right")]
    unknown = (at > distinct[-1]) | (probabilities <= 0)
    if unknown.any():
        raise ValueError(
            "The probability of censoring is unknown at "
            f"{at[unknown].min():g}: no training sample is observed longer (the last time is "
            f"{distinct[-1]:g}). Use an earlier `horizon`, or earlier times."
        )
    return probabilities

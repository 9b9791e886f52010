"""Survival curves of discrete-time hazards, with a constant hazard in each interval. No Keras."""

import numpy as np


def compute_survival(logits, boundaries, times=None):
    """Computes the probability of no event until given times.

    Args:
        logits: float64 array `(samples, intervals)` of hazards.
        boundaries: sequence of floats, the ends of the intervals.
        times: sequence of numbers from 0 to the last boundary, or `None` for the boundaries.

    Returns:
        Float array `(samples, times)`.

    Raises:
        ValueError: if a time is negative or after the last boundary.
    """
    log_survival = _compute_log_survival(logits)
    if times is None:
        return np.exp(log_survival[:, 1:])
    times, knots = np.asarray(times, "float64"), np.array([0.0, *boundaries])
    outside = times[~((times >= 0) & (times <= knots[-1]))]
    if len(outside):
        raise ValueError(
            f"`times` must be from 0 to the last boundary, {knots[-1]:g}. Received: {outside[0]:g}"
        )
    index = np.clip(np.searchsorted(knots, times, side="left") - 1, 0, None)
    shares = (times - knots[index]) / np.diff(knots)[index]
    return np.exp(log_survival[:, index] * (1 - shares) + log_survival[:, index + 1] * shares)


def compute_risks(logits, boundaries):
    """Computes the expected time lost before the last boundary.

    It is the last boundary minus the area under the survival curve.

    Args:
        logits, boundaries: see `compute_survival`.

    Returns:
        Float array `(samples,)`.
    """
    log_survival = _compute_log_survival(logits)
    survival, drops = np.exp(log_survival), -np.diff(log_survival, axis=1)
    # The area under an exponential curve from S to S exp(-d) is S (1 - exp(-d)) / d.
    means = np.divide(-np.expm1(-drops), drops, out=np.ones_like(drops), where=drops > 0)
    widths = np.diff([0.0, *boundaries])
    return boundaries[-1] - (survival[:, :-1] * means) @ widths


def _compute_log_survival(logits):
    """Returns log survival at 0 and at each boundary, `(samples, intervals + 1)`."""
    log_survival = -np.cumsum(np.logaddexp(0, logits), axis=1)
    return np.concatenate([np.zeros((len(logits), 1)), log_survival], axis=1)

"""Brier scores of predicted survival curves."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_finite
from keras_mmfusion.metrics.survival.censoring_weights import not_censored_probabilities
from keras_mmfusion.metrics.survival.survival_times import check_survival


def brier_scores(train_times, train_events, times, events, survival, at):
    """Computes the Brier score of survival probabilities at each of several times.

    ```
    BS(t) = 1/n Σ_i  S_i(t)² 1[t_i <= t, δ_i = 1] / G(t_i) + (1 - S_i(t))² 1[t_i > t] / G(t)
    ```

    `S_i(t)` is the predicted probability that sample `i` has no event until `t`, and `G(t)` the
    probability that a sample is not censored until `t`, estimated from the training samples. The
    score is 0 for perfect predictions and 0.25 for a constant 0.5. Compare it with that of a
    Kaplan-Meier curve for all samples.

    Args:
        train_times, train_events: see `check_survival`. They estimate the censoring distribution;
            censoring is assumed not to depend on the features.
        times, events: see `check_survival`.
        survival: float array `(samples, len(at))`, probabilities.
        at: sequence of increasing times. The last one must not be after the last training time.

    Returns:
        Float array `(len(at),)`.

    Raises:
        ValueError: if an input is invalid, or a time is after the last training time.

    Example:

    >>> times, events = [1, 2, 3, 4], [1, 0, 1, 1]
    >>> survival = [[0.2, 0.1], [0.9, 0.5], [0.9, 0.4], [0.9, 0.8]]
    >>> brier_scores(times, events, times, events, survival, at=[1.5, 3.5]).round(4).tolist()
    [0.0175, 0.0775]

    Reference:
        Graf et al., "Assessment and Comparison of Prognostic Classification Schemes for Survival
        Data", 1999.
    """
    train_times, train_events = check_survival(train_times, train_events, allow_all_censored=True)
    times, events = check_survival(times, events, allow_all_censored=True)
    survival, at = np.asarray(survival, "float64"), np.asarray(at, "float64")
    check_finite(survival=survival, at=at)
    if at.ndim != 1 or not len(at) or (np.diff(at) <= 0).any():
        raise ValueError(f"`at` must be times that increase. Received: {at.tolist()}")
    if survival.shape != (len(times), len(at)):
        raise ValueError(
            "`survival` must have shape (samples, times of `at`), "
            f"{(len(times), len(at))}. Received: {survival.shape}"
        )
    if survival.min() < 0 or survival.max() > 1:
        raise ValueError(
            "`survival` must be probabilities. Received values from "
            f"{survival.min():g} to {survival.max():g}"
        )
    observed = events & (times <= at[-1])
    weights = np.zeros(len(times))
    weights[observed] = 1 / not_censored_probabilities(train_times, train_events, times[observed])
    had_event = observed[:, None] & (times[:, None] <= at)
    errors = np.where(had_event, survival**2 * weights[:, None], 0.0)
    no_event = times[:, None] > at
    errors += (
        no_event * (1 - survival) ** 2 / not_censored_probabilities(train_times, train_events, at)
    )
    return errors.mean(axis=0)


def integrated_brier_score(train_times, train_events, times, events, survival, at):
    """Computes the mean of the Brier score over a time range, by the trapezoidal rule.

    Args:
        train_times, train_events, times, events, survival, at: see `brier_scores`. `at` has at
            least two times; the range is from the first to the last.

    Returns:
        Float.

    Raises:
        ValueError: as for `brier_scores`; if `at` has only one time.

    Example:

    >>> times, events = [1, 2, 3, 4], [1, 0, 1, 1]
    >>> survival = [[0.2, 0.1], [0.9, 0.5], [0.9, 0.4], [0.9, 0.8]]
    >>> round(integrated_brier_score(times, events, times, events, survival, at=[1.5, 3.5]), 3)
    0.047
    """
    at = np.asarray(at, "float64")
    if at.ndim != 1 or len(at) < 2:
        raise ValueError(f"`at` must have at least two times. Received: {at.tolist()}")
    scores = brier_scores(train_times, train_events, times, events, survival, at)
    return float(np.trapezoid(scores, at) / (at[-1] - at[0]))

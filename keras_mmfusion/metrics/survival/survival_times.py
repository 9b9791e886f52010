"""Checks times and events of survival analysis."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_finite

_EXAMPLES = 20


def check_survival(times, events, allow_all_censored=False):
    """Returns times and events as arrays if they are valid.

    The target of survival losses is `np.stack(check_survival(times, events), axis=1)`.

    Args:
        times: sequence of numbers `(samples,)`, at least 0: the time of the event, or the last
            time at which the sample was observed.
        events: sequence of bools, or of 0 and 1. `False` or 0 means that the sample is censored:
            there was no event until its time.
        allow_all_censored: bool.

    Returns:
        A tuple of arrays: times, float64 `(samples,)`, and events, bool `(samples,)`.

    Raises:
        ValueError: if the lengths differ, there are no samples, a time is negative, NaN or
            infinite, an event is neither 0 nor 1, or all samples are censored.

    Example:

    >>> from keras_mmfusion.metrics import check_survival
    >>> times, events = check_survival([5, 12.5], [1, 0])
    >>> events.tolist()
    [True, False]
    """
    times, events = np.asarray(times), np.asarray(events)
    if times.shape != events.shape or times.ndim != 1 or not len(times):
        raise ValueError(
            "`times` and `events` must have the same shape `(samples,)` and at least one sample. "
            f"Received: {times.shape} and {events.shape}"
        )
    check_finite(times=times, events=events)
    times = times.astype("float64")
    negative = np.flatnonzero(times < 0)
    if len(negative):
        raise ValueError(
            f"`times` must be at least 0. Received {len(negative)} negative times, such as "
            f"{times[negative[0]]:g}, at these positions: {negative[:_EXAMPLES].tolist()}. Remove "
            "these samples, or correct the start of their observation."
        )
    others = events[~np.isin(events, (0, 1))]
    if len(others):
        raise ValueError(
            f"`events` must be 1 for an event and 0 for censoring. Received: {others[0]}"
        )
    events = events.astype(bool)
    if not (events.any() or allow_all_censored):
        raise ValueError(
            f"`events` has no event: all {len(events)} samples are censored. Check whether the "
            "column means censoring, or add samples with events."
        )
    return times, events

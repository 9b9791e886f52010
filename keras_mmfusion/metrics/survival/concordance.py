"""Concordance of predicted risks and observed times."""

import numpy as np

from keras_mmfusion._checks import check_positive
from keras_mmfusion.metrics.comparable_values import check_finite
from keras_mmfusion.metrics.survival.censoring_weights import not_censored_probabilities
from keras_mmfusion.metrics.survival.survival_times import check_survival


def concordance_index(times, events, risks):
    """Computes Harrell's concordance index.

    It is the share of comparable pairs in which the sample with the earlier event has the higher
    risk; equal risks count one half. A pair is comparable if the earlier time is that of an event.
    At the same time, an event precedes a censored sample, and two events are not comparable.
    A constant risk has the index 0.5.

    The index depends on the distribution of censoring; `uno_concordance_index` does not.

    Args:
        times, events: see `check_survival`.
        risks: sequence of floats `(samples,)`, higher for an earlier event, such as log hazard
            ratios. Pass negated survival times or probabilities.

    Returns:
        Float.

    Raises:
        ValueError: if an input is invalid, all samples are censored, or no pair is comparable.

    Example:

    >>> concordance_index(times=[1, 2, 3, 4], events=[1, 0, 1, 1], risks=[4.0, 3.0, 1.0, 2.0])
    0.75

    Reference:
        Harrell et al., "Multivariable Prognostic Models", 1996.
    """
    times, events = check_survival(times, events)
    risks = _check_risks(risks, times)
    return _share_of_concordant_pairs(times, events, risks, events.astype(float))


def uno_concordance_index(train_times, train_events, times, events, risks, horizon=None):
    """Computes Uno's concordance index, which does not depend on the censoring distribution.

    Each comparable pair is weighted by `1 / G(t)²`: `t` is the earlier time, and `G(t)` the
    probability that a sample is not censored until then, estimated from the training samples.

    Args:
        train_times, train_events: see `check_survival`. They estimate the censoring distribution;
            censoring is assumed not to depend on the features.
        times, events, risks: see `concordance_index`.
        horizon: float or `None`. Only events before this time count. It must be in the follow-up
            of the training samples, and should leave a few of them, since the weights of late
            events are large.

    Returns:
        Float.

    Raises:
        ValueError: as for `concordance_index`; if an event is later than all training samples.

    Example:

    >>> times, events = [1, 2, 3, 4], [1, 0, 1, 1]
    >>> risks = [4.0, 3.0, 1.0, 2.0]
    >>> round(uno_concordance_index(times, events, times, events, risks), 3)
    0.571

    Reference:
        Uno et al., "On the C-Statistics for Evaluating Overall Adequacy of Risk Prediction
        Procedures with Censored Survival Data", 2011.
    """
    train_times, train_events = check_survival(train_times, train_events, allow_all_censored=True)
    times, events = check_survival(times, events)
    risks = _check_risks(risks, times)
    counted = events
    if horizon is not None:
        counted = events & (times < check_positive(None, "horizon", horizon))
    weights = np.zeros(len(times))
    probabilities = not_censored_probabilities(train_times, train_events, times[counted])
    weights[counted] = probabilities**-2.0
    return _share_of_concordant_pairs(times, events, risks, weights)


def _share_of_concordant_pairs(times, events, risks, weights):
    concordant = total = 0.0
    for i in np.flatnonzero(weights):
        is_later = (times > times[i]) | ((times == times[i]) & ~events)
        others = risks[is_later]
        concordant += weights[i] * (np.sum(others < risks[i]) + 0.5 * np.sum(others == risks[i]))
        total += weights[i] * len(others)
    if not total:
        raise ValueError(
            "No pair is comparable: no event precedes another time. Add samples, or use a later "
            "`horizon`."
        )
    return float(concordant / total)


def _check_risks(risks, times):
    risks = np.asarray(risks)
    if risks.shape != times.shape:
        raise ValueError(
            f"`risks` must have the shape of `times`, {times.shape}. Received: {risks.shape}"
        )
    check_finite(risks=risks)
    return risks

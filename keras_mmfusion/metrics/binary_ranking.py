"""Area under the ROC curve and average precision of scores of two classes."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_not_nan


def roc_auc(labels, scores):
    """Computes the area under the receiver operating characteristic curve.

    It is the probability that a positive sample has a higher score than a negative one, where equal
    scores count one half.

    Args:
        labels: sequence of 0 and 1, or bool, `(samples,)`.
        scores: sequence of floats `(samples,)`, higher for class 1.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if the lengths differ, a label is not 0 or 1, a class is absent, or a score is
            NaN.

    Example:

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = _check(labels, scores)
    _, indices, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[indices]  # Equal scores share their mean rank.
    positives = np.sum(labels)
    excess = np.sum(ranks[labels]) - positives * (positives + 1) / 2
    return float(excess / (positives * (len(labels) - positives)))


def average_precision(labels, scores):
    """Computes the average precision, which summarizes the precision-recall curve.

    `AP = Σ_t (R_t - R_{t-1}) P_t` over the thresholds `t`, the distinct scores in descending order,
    with the precision `P_t` and the recall `R_t` of the samples with a score of at least `t`.

    Args:
        labels: sequence of 0 and 1, or bool, `(samples,)`.
        scores: sequence of floats `(samples,)`, higher for class 1.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: see `roc_auc`.

    Example:

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    labels, scores = _check(labels, scores)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # Of equal scores.
    recall = hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * hits[last] / (last + 1)))


def _check(labels, scores):
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(
            "`labels` and `scores` must have the same shape `(samples,)`, not "
            f"{labels.shape} and {scores.shape}."
        )
    check_not_nan(scores=scores)
    classes = set(np.unique(labels).tolist())
    if classes != {0, 1}:
        raise ValueError(
            "`labels` must be 0 or 1, with samples of both classes. Received: "
            f"{sorted(classes)[:5]}"
        )
    return labels.astype("bool"), scores.astype("float64")

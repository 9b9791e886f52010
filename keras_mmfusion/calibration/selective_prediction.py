"""Predictions that abstain if their confidence is low."""

from typing import NamedTuple

import numpy as np

from keras_mmfusion._checks import check_number
from keras_mmfusion.calibration.class_predictions import check_probabilities


class RiskCoverageCurve(NamedTuple):
    """Error rate of the accepted predictions, for decreasing confidence thresholds.

    `thresholds`, `coverage` (share of accepted predictions) and `risk` are arrays; `area` is the
    mean risk over the samples in the order of their confidence.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    area: float


def risk_coverage_curve(labels, probabilities):
    """Computes the error rate of the most confident predictions, for each share of them.

    Args:
        labels: int array `(samples,)`, class indices.
        probabilities: float array `(samples, classes)`. The confidence is the probability of the
            predicted class.

    Returns:
        A `RiskCoverageCurve`, a named tuple: arrays `(distinct confidences,)` `thresholds`,
        `coverage` and `risk`; and `area`, a float, the area under the curve (AURC).

    Raises:
        ValueError: if shapes do not match, or probabilities do not sum to 1.

    Example:

    >>> curve = risk_coverage_curve([0, 0], [[0.9, 0.1], [0.4, 0.6]])
    >>> curve.coverage.tolist(), curve.risk.tolist(), curve.area
    ([0.5, 1.0], [0.0, 0.5], 0.25)

    Reference:
        Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", 2017, section 2.
    """
    confidences, is_correct = check_probabilities(labels, probabilities)
    thresholds, index = np.unique(-confidences, return_inverse=True)
    accepted = np.cumsum(np.bincount(index))
    risk = np.cumsum(np.bincount(index, weights=~is_correct)) / accepted
    area = float(risk[index].mean())  # Samples of equal confidence are accepted together.
    return RiskCoverageCurve(-thresholds, accepted / len(confidences), risk, area)


def find_confidence_threshold(labels, probabilities, max_risk):
    """Finds the lowest confidence at which predictions have at most a given error rate.

    A model that abstains below this confidence made at most this share of errors on these
    samples. It is an estimate, not a bound, for other samples; use samples that were neither
    trained on nor reported.

    Args:
        labels, probabilities: see `risk_coverage_curve`.
        max_risk: float from 0 to 1. The accepted error rate.

    Returns:
        Float, the threshold: accept predictions of at least this confidence. Infinity if no
        threshold suffices.

    Raises:
        ValueError: as for `risk_coverage_curve`; if `max_risk` is not from 0 to 1.

    Example:

    >>> find_confidence_threshold([0, 0], [[0.9, 0.1], [0.4, 0.6]], max_risk=0.1)
    0.9
    """
    check_number("find_confidence_threshold", "max_risk", max_risk, 0, 1)
    curve = risk_coverage_curve(labels, probabilities)
    suffices = np.flatnonzero(curve.risk <= max_risk)
    return float(curve.thresholds[suffices[-1]]) if len(suffices) else float("inf")

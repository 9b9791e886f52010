"""How well confidences agree with accuracy."""

import os
from typing import NamedTuple

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion._extras import require_extra
from keras_mmfusion.calibration.class_predictions import check_probabilities
from keras_mmfusion.files.atomic_files import replace_file


class ReliabilityCurve(NamedTuple):
    """Mean confidence, accuracy and number of predictions in each bin; NaN in empty bins."""

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray


def reliability_curve(labels, probabilities, bins=15):
    """Computes the accuracy of predictions with similar confidence.

    The confidence is the probability of the predicted class. The bins have equal widths.

    Args:
        labels: int array `(samples,)`, class indices.
        probabilities: float array `(samples, classes)`.
        bins: int.

    Returns:
        A `ReliabilityCurve`, a named tuple of arrays `(bins,)`: `confidence`, `accuracy`, `counts`.

    Raises:
        ValueError: if shapes do not match, or probabilities do not sum to 1.

    Example:

    >>> curve = reliability_curve([0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]], bins=2)
    >>> curve.counts.tolist(), curve.accuracy[1].round(2), curve.confidence[1].round(2)
    ([0, 3], np.float64(0.67), np.float64(0.77))

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, section 2.
    """
    confidences, is_correct = check_probabilities(labels, probabilities)
    check_integer("reliability_curve", "bins", bins)
    # A confidence on an edge belongs to the bin below it.
    index = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    confidence, accuracy = (
        np.divide(
            np.bincount(index, weights=values, minlength=bins),
            counts,
            out=np.full(bins, np.nan),
            where=counts > 0,
        )
        for values in (confidences, is_correct.astype(float))
    )
    return ReliabilityCurve(confidence, accuracy, counts)


def expected_calibration_error(labels, probabilities, bins=15):
    """Computes the expected calibration error (ECE).

    ```
    ECE = Σ_b n_b / n |accuracy_b - confidence_b|
    ```

    The value depends on the number of bins, and is biased upwards for few samples.

    Args:
        labels, probabilities, bins: see `reliability_curve`.

    Returns:
        Float from 0 to 1.

    Raises:
        ValueError: if shapes do not match, or probabilities do not sum to 1.

    Example:

    >>> round(expected_calibration_error([0, 1], [[0.9, 0.1], [0.9, 0.1]]), 2)
    0.4

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, section 2.
    """
    confidence, accuracy, counts = reliability_curve(labels, probabilities, bins)
    return float(np.nansum(counts * np.abs(accuracy - confidence)) / counts.sum())


def draw_reliability(curves, path):
    """Draws reliability diagrams: accuracy by confidence. Needs the extra `explain`.

    Args:
        curves: dict, label -> `ReliabilityCurve`.
        path: string or path of the file, such as `reliability.svg`.

    Returns:
        The path.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    require_extra("explain", "Plotting", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", label="calibrated")
    for label, curve in curves.items():
        used = curve.counts > 0
        axes.plot(curve.confidence[used], curve.accuracy[used], marker="o", label=label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend()
    suffix = os.path.splitext(path)[1][1:] or "png"
    with replace_file(path) as file:
        figure.savefig(file, format=suffix)
    return path

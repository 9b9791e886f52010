"""Classification metrics, and the sentiment metrics of CMU-MOSI and CMU-MOSEI."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_comparable, check_finite


def classification_scores(labels, predictions):
    """Computes accuracy, macro F1 and weighted F1.

    `F1 = 2 TP / (2 TP + FP + FN)` for each class in the labels or the predictions. Macro F1 is
    the unweighted mean over classes; weighted F1 weights each class by its share of the labels.

    Args:
        labels: sequence of classes `(samples,)`.
        predictions: sequence of classes `(samples,)`.

    Returns:
        A dict of floats: `accuracy`, `macro_f1`, `weighted_f1`.

    Raises:
        ValueError: if the lengths or types differ, such as `"0"` and 0, a value is missing,
            predictions are probabilities instead of classes, or there are no samples.

    Example:

    >>> scores = classification_scores([0, 0, 0, 1], [0, 0, 1, 1])
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'accuracy': 0.75, 'macro_f1': 0.733, 'weighted_f1': 0.767}
    """
    labels, predictions = _check(_as_classes(labels), _as_classes(predictions))
    check_comparable(labels=labels.tolist(), predictions=predictions.tolist())
    _check_integral(labels, predictions)
    f1, weights = [], []
    for name in np.union1d(labels, predictions):
        actual, predicted = labels == name, predictions == name
        f1.append(2 * np.sum(actual & predicted) / (np.sum(actual) + np.sum(predicted)))
        weights.append(np.mean(actual))
    return {
        "accuracy": float(np.mean(labels == predictions)),
        "macro_f1": float(np.mean(f1)),
        "weighted_f1": float(np.dot(f1, weights)),
    }


def sentiment_scores(labels, predictions):
    """Computes the metrics of CMU-MOSI and CMU-MOSEI, for sentiment regression in [-3, 3].

    Has0: negative or non-negative, over all samples. Non0: negative or positive, without the
    samples labeled 0; a prediction is positive if it is above 0. `accuracy_7` compares the values
    rounded and clipped to -3 ... 3.

    Args:
        labels: sequence of floats `(samples,)`.
        predictions: sequence of floats `(samples,)`.

    Returns:
        A dict of floats: `mae`, `correlation` (Pearson; NaN if one input is constant),
        `accuracy_7`, `has0_accuracy`, `has0_f1`, `non0_accuracy`, `non0_f1` (weighted F1; NaN if
        all labels are 0).

    Raises:
        ValueError: if the lengths differ, a value is NaN, infinite or not a number, or there are
            no samples.

    Example:

    >>> scores = sentiment_scores([-2.0, -0.4, 0.0, 1.6], [-1.0, 0.4, 0.2, 2.0])
    >>> scores["has0_accuracy"], round(scores["non0_accuracy"], 3), scores["mae"]
    (0.75, 0.667, 0.6)

    Reference:
        Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset" (2018); the
        names Has0 and Non0 follow MMSA.
    """
    labels, predictions = _check(np.asarray(labels), np.asarray(predictions))
    check_finite(labels=labels, predictions=predictions)
    labels, predictions = labels.astype(float), predictions.astype(float)
    rounded = [np.clip(np.round(values), -3, 3) for values in (labels, predictions)]
    varies = labels.std() > 0 and predictions.std() > 0
    has0 = classification_scores(labels >= 0, predictions >= 0)
    nonzero = labels != 0
    if nonzero.any():
        non0 = classification_scores(labels[nonzero] > 0, predictions[nonzero] > 0)
    else:
        non0 = {"accuracy": float("nan"), "weighted_f1": float("nan")}
    return {
        "mae": float(np.mean(np.abs(labels - predictions))),
        "correlation": float(np.corrcoef(labels, predictions)[0, 1]) if varies else float("nan"),
        "accuracy_7": float(np.mean(rounded[0] == rounded[1])),
        "has0_accuracy": has0["accuracy"],
        "has0_f1": has0["weighted_f1"],
        "non0_accuracy": non0["accuracy"],
        "non0_f1": non0["weighted_f1"],
    }


def _as_classes(values):
    """Converts classes to an array and keeps their types: NumPy converts the 1 in [1, "a"]."""
    if isinstance(values, (list, tuple)) and len(set(map(type, values))) > 1:
        return np.array(values, object)
    return np.asarray(values)


def _check_integral(labels, predictions):
    """Raises an error if `predictions` are probabilities instead of classes."""
    if "f" not in (labels.dtype.kind, predictions.dtype.kind):
        return
    if _is_integral(labels).all():
        fractions = predictions[~_is_integral(predictions)].tolist()
        if fractions:
            raise ValueError(
                f"`predictions` must be classes like `labels`, such as {labels.tolist()[0]}. "
                f"Received: {fractions[0]}. Apply a threshold or argmax to probabilities first."
            )


def _is_integral(values):
    values = values.astype("float64")
    return np.isfinite(values) & (values == np.floor(values))


def _check(labels, predictions):
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ValueError(
            "`labels` and `predictions` must have the same shape `(samples,)`, not "
            f"{labels.shape} and {predictions.shape}."
        )
    if not len(labels):
        raise ValueError("`labels` must have at least one sample.")
    return labels, predictions

"""Checks labels and class probabilities or logits."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_finite


def check_labels(labels, values, name):
    """Returns integer labels and float64 values if they belong together.

    Args:
        labels: int array `(samples,)`.
        values: float array `(samples, classes)`.
        name: string. The name of `values` in errors.

    Raises:
        ValueError: if shapes do not match, a value is not finite, or a label is no class.
    """
    labels, values = np.asarray(labels), np.asarray(values)
    if values.ndim != 2 or values.shape[1] < 2 or labels.shape != values.shape[:1]:
        raise ValueError(
            f"`labels` must have shape (samples,) and `{name}` (samples, classes), with at least "
            f"two classes. Received: {labels.shape} and {values.shape}"
        )
    check_finite(labels=labels, **{name: values})
    if not len(labels):
        raise ValueError("`labels` must have at least one sample.")
    classes = values.shape[1]
    invalid = labels[(labels < 0) | (labels >= classes) | (labels != np.floor(labels))]
    if len(invalid):
        raise ValueError(
            f"`labels` must be class indices from 0 to {classes - 1}. Received: {invalid[0]}"
        )
    return labels.astype("int64"), values.astype("float64")


def check_probabilities(labels, probabilities):
    """Returns the confidence of each prediction, and whether it is correct.

    Args:
        labels, probabilities: see `check_labels`.

    Returns:
        A tuple of arrays `(samples,)`: the probability of the predicted class, float64, and bool.

    Raises:
        ValueError: as for `check_labels`; if the probabilities do not sum to 1.
    """
    labels, probabilities = check_labels(labels, probabilities, "probabilities")
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        raise ValueError(
            "`probabilities` must be at least 0 and sum to 1 for each sample. Received a sample "
            f"with the sum {sums[np.abs(sums - 1).argmax()]:g}. Apply a softmax to logits."
        )
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels

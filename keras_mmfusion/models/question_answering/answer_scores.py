"""The loss and the accuracy of answer classifiers whose targets are scores of the answers."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
def answer_loss(y_true, y_pred):
    """Sums the binary cross-entropies of all answers, in float32.

    Args:
        y_true: float tensor `(batch, answers)`, scores from 0 to 1.
        y_pred: float tensor `(batch, answers)`, logits.

    Returns:
        Float tensor `(batch,)`.

    Reference:
        Teney et al., "Tips and Tricks for Visual Question Answering: Learnings from the 2017
        Challenge", 2018, equation 2.
    """
    targets, logits = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    return ops.sum(ops.softplus(logits) - targets * logits, axis=-1)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
def answer_cross_entropy(y_true, y_pred):
    """Computes `-Σ_a y_true_a log softmax(y_pred)_a`, in float32; see `answer_loss`."""
    targets, logits = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
def answer_accuracy(y_true, y_pred):
    """Returns the score of the most probable answer, `(batch,)`; see `answer_loss`."""
    best = ops.expand_dims(ops.argmax(y_pred, axis=-1), -1)
    return ops.squeeze(ops.take_along_axis(ops.cast(y_true, "float32"), best, axis=-1), -1)

"""Targets of answer classifiers from answers as text."""

import warnings

import numpy as np

from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.datasets.questions.class_scores import score_classes


def score_targets(x, y, classes, is_batch=False):
    """Replaces answers that are texts by their targets.

    Args:
        x: inputs; a dict may contain the answers as `"answers"`.
        y: targets: strings `(batch,)` or `(batch, people)`, lists of lists of strings, or anything
            else, which is returned unchanged.
        classes: list of strings.
        is_batch: bool. Whether the data is one batch of several: questions without a target are
            then not counted.

    Returns:
        A tuple of inputs and targets, float32 `(batch, classes)`.

    Raises:
        ValueError: if no question has an answer among the classes, or an answer is not a string.
    """
    if y is None and isinstance(x, dict) and "answers" in x:
        x = dict(x)
        y = x.pop("answers")
    if getattr(getattr(y, "dtype", None), "name", None) == "string":
        return x, _score_tensor(y, classes)
    if not _are_texts(y):
        return x, y
    answers = list_answers(y)
    targets = make_targets(score_classes(answers, classes, leave_one_out=False), len(classes))
    if not is_batch:
        warn_of_unknown_answers(targets.any(axis=1), answers)
    return x, targets


def list_answers(y):
    """Returns the answers as a list of lists of strings; empty strings are dropped."""
    check_texts(y, "answers")
    rows = y.tolist() if isinstance(y, np.ndarray) else list(y)
    rows = [[row] if isinstance(row, (str, bytes)) else list(row) for row in rows]
    rows = [
        [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in row]
        for row in rows
    ]
    return [[each for each in row if each] for row in rows]


def make_targets(scores, count):
    """Converts a list of dicts, class index -> score, to a float32 array `(rows, count)`."""
    targets = np.zeros((len(scores), count), "float32")
    for row, each in enumerate(scores):
        targets[row, list(each)] = list(each.values())
    return targets


def warn_of_unknown_answers(known, answers):
    """Warns of questions without an answer among the classes.

    Args:
        known: bool array `(questions,)`. Whether an answer is among the classes.
        answers: list of lists of strings, for examples in the message.

    Raises:
        ValueError: if there is no other question.
    """
    unknown = np.flatnonzero(~np.asarray(known, "bool"))
    examples = [answers[row][0] for row in unknown[:3] if answers[row]]
    if len(unknown) == len(answers):
        raise ValueError(
            "None of the questions has an answer in `model.answers`, so there is nothing to learn. "
            f"Their answers are such as {examples!r:.200}"
        )
    if len(unknown):
        warnings.warn(
            f"{len(unknown)} of {len(answers)} questions have no answer in `model.answers` and "
            f"therefore no target. Their answers are such as {examples!r:.200}",
            stacklevel=4,
        )


def _are_texts(y):
    if isinstance(y, (list, tuple)) or hasattr(y, "iloc"):
        first = next(iter(y), None)
        while isinstance(first, (list, tuple, np.ndarray)) and len(first):
            first = first[0]
        return isinstance(first, (str, bytes))
    if isinstance(y, np.ndarray):
        if y.dtype.kind == "O":
            return bool(y.size) and _are_texts(y.ravel()[:1].tolist())
        return y.dtype.kind in "SUT"
    return False


def _score_tensor(y, classes):
    """Computes targets of a tensor of strings, also in a `tf.data` pipeline."""
    import tensorflow as tf

    def score(values):
        scores = score_classes(list_answers(values), classes, leave_one_out=False)
        return make_targets(scores, len(classes))

    if hasattr(y, "to_tensor"):
        y = y.to_tensor()
    targets = tf.numpy_function(score, [y], "float32", stateful=False)
    return tf.ensure_shape(targets, (y.shape[0], len(classes)))

"""Recall@k and NDCG@k as Keras metrics."""

import math

import keras
from keras import ops

from keras_mmfusion.metrics.comparable_values import check_not_nan


class RankingMetric(keras.metrics.Metric):
    """What the metrics of a ranking's first k share: a mean over queries since the last reset.

    A query is ranked among the candidates that come with it: those of its batch in `fit` of a
    `ContrastiveModel`, all items in that of a `Recommender`. A metric of your own implements
    `query_values(relevant, num_relevant)`.

    Args:
        k: int.
        name: string.

    Call arguments of `update_state`:
        y_true: bool, int or float tensor `(queries, candidates)`, 1 where a candidate is relevant.
        y_pred: float tensor `(queries, candidates)`, scores; of equal ones the first counts more.
        sample_weight: float tensor `(queries,)`.

    Raises:
        ValueError: if `k` is no positive integer, `y_true` and `y_pred` have different shapes, or a
            value is NaN. Within compiled functions, which cannot raise, the result is then NaN.
    """

    def __init__(self, k, name, **kwargs):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(
                f"{type(self).__name__}: `k` must be a positive integer. Received: {k!r}"
            )
        super().__init__(name=name, **kwargs)
        self.k = k
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def query_values(self, relevant, num_relevant):
        """A value of each query, `(queries,)`.

        Args:
            relevant: float tensor `(queries, k)`, 1 where the candidate at a place is relevant.
            num_relevant: float tensor `(queries,)`, of all candidates.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `query_values`.")

    def update_state(self, y_true, y_pred, sample_weight=None):
        relevant = ops.cast(y_true, "float32")
        scores = ops.cast(y_pred, "float32")
        _check_shapes(relevant.shape, scores.shape)
        _raise_if_nan(y_true=relevant, y_pred=scores)
        undefined = ops.any(ops.isnan(scores + relevant), axis=1)
        # Places for fewer candidates than k, of no relevance.
        extra = ((0, 0), (0, self.k))
        scores = ops.pad(scores, extra, constant_values=float("-inf"))
        _, first = ops.top_k(scores, self.k)
        found = ops.take_along_axis(ops.pad(relevant, extra), first, axis=1)
        values = self.query_values(found, ops.sum(relevant, axis=1))
        values = ops.where(undefined, float("nan"), values)
        weights = ops.ones_like(values)
        if sample_weight is not None:
            weights = ops.cast(sample_weight, "float32")
        self.total.assign_add(ops.sum(weights * values))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {**super().get_config(), "k": self.k}


def _check_shapes(relevant, scores):
    pairs = zip(relevant, scores, strict=False)
    unequal = any(None not in pair and pair[0] != pair[1] for pair in pairs)
    if len(relevant) != 2 or len(scores) != 2 or unequal:
        raise ValueError(
            "`y_true` and `y_pred` must have one shape (queries, candidates). Received shapes: "
            f"{tuple(relevant)} and {tuple(scores)}"
        )


def _raise_if_nan(**values):
    try:
        values = {name: ops.convert_to_numpy(each) for name, each in values.items()}
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return  # A function is being traced: there are no values yet.
    check_not_nan(**values)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RecallAtK(RankingMetric):
    """Mean share of a query's relevant candidates that are among its first k, as a Keras metric.

    `keras_mmfusion.metrics.retrieval_scores` ranks among a whole collection.

    Args:
        k: int.
        name: string.

    Call arguments of `update_state`: see `RankingMetric`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.metrics import RecallAtK
    >>> metric = RecallAtK(k=1)
    >>> metric.update_state(np.eye(2), [[0.9, 0.1], [0.8, 0.2]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, k=1, name=None, **kwargs):
        super().__init__(k, name or f"recall_at_{k}", **kwargs)

    def query_values(self, relevant, num_relevant):
        return ops.divide_no_nan(ops.sum(relevant, axis=1), num_relevant)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class NDCGAtK(RankingMetric):
    """Normalized discounted cumulative gain of the first k, as a Keras metric.

    `DCG = Σᵢ rel_i / log₂(i + 1)` over the places i = 1 ... k, as a share of the largest that the
    query could have; see `keras_mmfusion.metrics.ndcg_at_k`. Relevance is 0 or 1.

    Args:
        k: int.
        name: string.

    Call arguments of `update_state`: see `RankingMetric`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.metrics import NDCGAtK
    >>> metric = NDCGAtK(k=3)
    >>> metric.update_state([[1, 1, 0, 0]], [[0.9, 0.1, 0.5, 0.0]])
    >>> round(float(metric.result()), 4)
    0.9197

    Reference:
        Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques" (2002).
    """

    def __init__(self, k=10, name=None, **kwargs):
        super().__init__(k, name or f"ndcg_at_{k}", **kwargs)

    def query_values(self, relevant, num_relevant):
        places = ops.arange(1, self.k + 1, dtype="float32")
        discounts = math.log(2) / ops.log(places + 1)
        best = ops.cast(places <= ops.expand_dims(num_relevant, 1), "float32") * discounts
        return ops.divide_no_nan(ops.sum(relevant * discounts, axis=1), ops.sum(best, axis=1))

"""Recall@k and NDCG@k as Keras metrics."""

import math

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.metrics.comparable_values import check_not_nan


class RankingMetric(keras.metrics.Metric):
    """Base class of metrics of the top-k candidates, averaged over queries.

    Each query ranks the candidates in its row: those of the batch in `ContrastiveModel.fit`, all
    items in `Recommender.fit`. Subclasses implement `query_values(relevant, num_relevant)`.

    Args:
        k: int.
        name: string.

    Call arguments of `update_state`:
        y_true: bool, int or float tensor `(queries, candidates)`, 1 where a candidate is relevant.
        y_pred: float tensor `(queries, candidates)`, scores; ties rank the first candidate higher.
        sample_weight: float tensor `(queries,)`.

    Raises:
        ValueError: if `k` is not a positive integer, the shapes of `y_true` and `y_pred` differ,
            or a value is NaN. Compiled functions cannot raise an error; their result is NaN.
    """

    def __init__(self, k, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.k = check_integer(self, "k", k)
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def query_values(self, relevant, num_relevant):
        """Computes the value of each query, `(queries,)`.

        Args:
            relevant: float tensor `(queries, k)`, 1 where the candidate at that rank is relevant.
            num_relevant: float tensor `(queries,)`. Relevant candidates at any rank.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `query_values`.")

    def update_state(self, y_true, y_pred, sample_weight=None):
        relevant = ops.cast(y_true, "float32")
        scores = ops.cast(y_pred, "float32")
        _check_shapes(relevant.shape, scores.shape)
        _raise_if_nan(y_true=relevant, y_pred=scores)
        undefined = ops.any(ops.isnan(scores + relevant), axis=1)
        # Pad with irrelevant candidates, in case there are fewer than k.
        padding = ((0, 0), (0, self.k))
        scores = ops.pad(scores, padding, constant_values=float("-inf"))
        _, indices = ops.top_k(scores, self.k)
        ranked = ops.take_along_axis(ops.pad(relevant, padding), indices, axis=1)
        values = self.query_values(ranked, ops.sum(relevant, axis=1))
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
            "`y_true` and `y_pred` must have the same shape (queries, candidates). Received: "
            f"{tuple(relevant)} and {tuple(scores)}"
        )


def _raise_if_nan(**values):
    try:
        values = {name: ops.convert_to_numpy(each) for name, each in values.items()}
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return  # Symbolic tensors have no values.
    check_not_nan(**values)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RecallAtK(RankingMetric):
    """Computes recall@k: the mean share of relevant candidates among the top k of a query.

    `keras_mmfusion.metrics.retrieval_scores` ranks over a whole collection instead.

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
    """Computes the normalized discounted cumulative gain of the top k.

    `NDCG = DCG / IDCG` with `DCG = Σᵢ rel_i / log₂(i + 1)` over ranks i = 1 ... k and `IDCG` the
    DCG of an ideal ranking; see `keras_mmfusion.metrics.ndcg_at_k`. Relevance is 0 or 1.

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
        ranks = ops.arange(1, self.k + 1, dtype="float32")
        discounts = math.log(2) / ops.log(ranks + 1)
        ideal = ops.cast(ranks <= ops.expand_dims(num_relevant, 1), "float32") * discounts
        return ops.divide_no_nan(ops.sum(relevant * discounts, axis=1), ops.sum(ideal, axis=1))

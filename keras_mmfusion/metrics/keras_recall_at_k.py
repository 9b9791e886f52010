import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RecallAtK(keras.metrics.Metric):
    """Mean share of a query's relevant candidates that are among its first k, as a Keras metric.

    The mean is over all queries since the last reset. A query is ranked among the candidates that
    come with it: those of its batch in `fit`. `keras_mmfusion.metrics.retrieval_scores` ranks
    among a whole collection.

    Args:
        k: int.
        name: string.

    Call arguments of `update_state`:
        y_true: bool, int or float tensor `(queries, candidates)`, 1 where a candidate is relevant.
        y_pred: float tensor `(queries, candidates)`, scores; of equal ones the first counts more.
        sample_weight: float tensor `(queries,)`.

    Raises:
        ValueError: if `k` is no positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.metrics import RecallAtK
    >>> metric = RecallAtK(k=1)
    >>> metric.update_state(np.eye(2), [[0.9, 0.1], [0.8, 0.2]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, k=1, name=None, **kwargs):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"RecallAtK: `k` must be a positive integer. Received: {k!r}")
        super().__init__(name=name or f"recall_at_{k}", **kwargs)
        self.k = k
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        relevant = ops.cast(y_true, "float32")
        scores = ops.cast(y_pred, "float32")
        # Places for fewer candidates than k, of no relevance.
        extra = ((0, 0), (0, self.k))
        scores = ops.pad(scores, extra, constant_values=float("-inf"))
        _, first = ops.top_k(scores, self.k)
        found = ops.sum(ops.take_along_axis(ops.pad(relevant, extra), first, axis=1), axis=1)
        shares = ops.divide_no_nan(found, ops.sum(relevant, axis=1))
        weights = ops.ones_like(shares)
        if sample_weight is not None:
            weights = ops.cast(sample_weight, "float32")
        self.total.assign_add(ops.sum(weights * shares))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {**super().get_config(), "k": self.k}

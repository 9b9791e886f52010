import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class HazardLoss(keras.losses.Loss):
    """Negative log-likelihood of a discrete-time survival model.

    ```
    h_ik   = σ(z_ik)                        hazard: the probability of an event in interval k,
                                            given that there was none before
    loss_i = - Σ_k a_ik log(1 - h_ik) - Σ_k d_ik log h_ik
    ```

    Interval `k` lies between the boundaries `b_{k-1}`, exclusive, and `b_k`, inclusive; `b_0 = 0`.
    `d_ik` is 1 if the event of sample `i` is in interval `k`. `a_ik` is 1 if the sample survived
    interval `k`: its event is later, or it was censored after the middle of the interval. A sample
    whose time is above the last boundary survived all intervals.

    Args:
        boundaries: sequence of increasing positive floats, the ends of the intervals.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: tensor `(batch, 2)`, times and events, 1 for an event and 0 for censoring; see
            `keras_mmfusion.metrics.check_survival`.
        y_pred: float tensor `(batch, intervals)`, the logits `z` of the hazards.
        sample_weight: float tensor `(batch,)`.

    Raises:
        ValueError: if the boundaries are not positive and increasing.

    Example:

    >>> from keras_mmfusion.losses import HazardLoss
    >>> loss = HazardLoss(boundaries=(12.0, 24.0), reduction="sum")
    >>> round(float(loss([[20.0, 1.0]], [[0.0, 0.0]])), 4)  # survived the first: 2 log 2
    1.3863

    Reference:
        Gensheimer and Narasimhan, "A Scalable Discrete-Time Survival Model for Neural Networks",
        2019, section 2.
    """

    def __init__(self, boundaries, reduction="sum_over_batch_size", name="hazard", **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})
        self.boundaries = check_boundaries(boundaries)

    def call(self, y_true, y_pred):
        times, events = ops.split(ops.cast(y_true, "float32"), 2, axis=1)
        logits = ops.cast(y_pred, "float32")
        ends = ops.convert_to_tensor(self.boundaries, "float32")
        starts = ops.convert_to_tensor((0.0, *self.boundaries[:-1]), "float32")
        is_last = times <= ends
        has_started = ops.logical_or(times > starts, ops.equal(starts, 0.0))
        is_event = ops.logical_and(ops.logical_and(is_last, has_started), events > 0)
        outlived = ops.where(events > 0, times > ends, times >= (starts + ends) / 2)
        losses = ops.where(outlived, ops.softplus(logits), 0.0)
        losses += ops.where(is_event, ops.softplus(-logits), 0.0)
        return ops.sum(losses, axis=1)

    def get_config(self):
        return {**super().get_config(), "boundaries": list(self.boundaries)}


def check_boundaries(boundaries):
    """Returns the ends of time intervals as a tuple of floats if they are positive and increase.

    Raises:
        ValueError: if they do not.
    """
    values = np.asarray(boundaries, "float64")
    is_valid = values.ndim == 1 and len(values) and np.isfinite(values).all()
    if not (is_valid and (np.diff(values, prepend=0.0) > 0).all()):
        raise ValueError(
            f"`boundaries` must be positive numbers that increase. Received: {boundaries!r}"
        )
    return tuple(values.tolist())

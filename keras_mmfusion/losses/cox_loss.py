import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CoxLoss(keras.losses.Loss):
    """Negative partial log-likelihood of Cox's proportional hazards model, with Efron's ties.

    ```
    loss_i = δ_i (log Σ_j w_ij exp(s_j) - s_i)
    w_ij   = 0              if t_j < t_i
           = 1 - l_i / d_i  if j has an event at t_j = t_i
           = 1              otherwise
    ```

    `s` are the predicted log hazard ratios, `t` the times, and `δ_i` is 1 for an event, 0 for a
    censored sample. `d_i` is the number of events at `t_i`, of which `l_i` precede `i` in the
    batch. Without ties, all weights are 0 or 1.

    The sum of the losses is the negative partial log-likelihood. The risk sets are those of the
    batch, so that a batch should contain many events; the gradient of a batch is exact only if it
    contains all samples. A batch without an event has the loss 0.

    Args:
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: tensor `(batch, 2)`, times and events, 1 for an event and 0 for censoring; see
            `keras_mmfusion.metrics.check_survival`.
        y_pred: float tensor `(batch, 1)`, log hazard ratios.
        sample_weight: float tensor `(batch,)`, factors of the losses. A weight of 0 does not
            remove a sample from the risk sets.

    Example:

    >>> from keras_mmfusion.losses import CoxLoss
    >>> y_true = [[1.0, 1.0], [2.0, 0.0]]  # an event at time 1, a sample censored at time 2
    >>> round(float(CoxLoss(reduction="sum")(y_true, [[0.0], [0.0]])), 4)  # log 2
    0.6931

    Reference:
        Cox, "Regression Models and Life-Tables", 1972; Efron, "The Efficiency of Cox's Likelihood
        Function for Censored Data", 1977, section 6; Katzman et al., "DeepSurv", 2018, for
        neural networks.
    """

    def __init__(self, reduction="sum_over_batch_size", name="cox", **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        times, events = ops.split(ops.cast(y_true, "float32"), 2, axis=1)
        risks = ops.transpose(ops.cast(y_pred, "float32"))  # (1, batch)
        at_risk = ops.cast(ops.transpose(times) >= times, "float32")
        tied = ops.cast(ops.equal(ops.transpose(times), times), "float32")
        tied = tied * ops.transpose(events)  # (sample, other): the other's event is at its time
        num_tied = ops.sum(tied, axis=1, keepdims=True)
        num_before = ops.sum(ops.tril(tied, -1), axis=1, keepdims=True)
        weights = at_risk - tied * ops.divide_no_nan(num_before, num_tied)
        # Samples with weight 0 must not determine the maximum, which would underflow the others.
        highest = ops.max(ops.where(weights > 0, risks, -float("inf")), axis=1, keepdims=True)
        highest = ops.stop_gradient(highest)
        shifted = ops.where(weights > 0, risks - highest, -float("inf"))
        totals = ops.sum(weights * ops.exp(shifted), axis=1, keepdims=True)
        losses = events * (ops.log(totals) + highest - ops.transpose(risks))
        return ops.squeeze(losses, 1)

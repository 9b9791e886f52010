import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BPRLoss(keras.losses.Loss):
    """Bayesian personalized ranking: seen items should score above unseen ones.

    ```
    loss_u = mean over pairs (i, j) with y_ui > y_uj of -log σ(s_ui - s_uj)
    ```

    The paper's regularization is left to the optimizer or the layers.

    Args:
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: tensor `(batch, candidates)`, 1 for a candidate with which the user interacted,
            otherwise 0.
        y_pred: float tensor `(batch, candidates)`, scores. All pairs are compared, so sample a
            few candidates instead of passing all items.
        sample_weight: float tensor `(batch,)`.

    Example:

    >>> from keras_mmfusion.losses import BPRLoss
    >>> round(float(BPRLoss()([[1.0, 0.0]], [[2.0, 0.0]])), 4)
    0.1269

    Reference:
        Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", 2009, section
        4.1.
    """

    def __init__(self, reduction="sum_over_batch_size", name="bpr", **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        pairs = ops.expand_dims(y_true, 2) > ops.expand_dims(y_true, 1)
        gaps = ops.expand_dims(y_pred, 2) - ops.expand_dims(y_pred, 1)
        pairs = ops.cast(pairs, "float32")
        losses = pairs * ops.softplus(-ops.cast(gaps, "float32"))
        return ops.divide_no_nan(ops.sum(losses, axis=(1, 2)), ops.sum(pairs, axis=(1, 2)))

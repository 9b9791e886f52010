import keras
from keras import ops

from keras_mmfusion._checks import check_fraction


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of integer targets with label smoothing, in float32.

    With `p = softmax(logits)` over `V` classes and the target class `y`:

    ```
    loss = -(1 - ε) log p_y - (ε / V) Σ_v log p_v
    ```

    The default reduction divides by the sum of the sample weights, so padding with weight 0 does
    not count.

    Args:
        label_smoothing: float in [0, 1), the ε above.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: int tensor `(...)`.
        y_pred: float tensor `(..., classes)`, logits.
        sample_weight: float tensor `(...)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import SmoothedCrossEntropy
    >>> loss = SmoothedCrossEntropy(label_smoothing=0.1)
    >>> round(float(loss(np.array([0]), np.array([[2.0, 0.0]]))), 4)
    0.2269

    Reference:
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016,
        section 7.
    """

    def __init__(
        self,
        label_smoothing=0.1,
        reduction="mean_with_sample_weight",
        name="smoothed_cross_entropy",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.label_smoothing = check_fraction(self, "label_smoothing", label_smoothing)

    def call(self, y_true, y_pred):
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        targets = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        target_log_probs = ops.squeeze(ops.take_along_axis(log_probs, targets, axis=-1), -1)
        smoothing = self.label_smoothing
        # `ops.mean` would need one more pass over the gradient of all logits.
        uniform = smoothing / y_pred.shape[-1] * ops.sum(log_probs, axis=-1)
        return -(1 - smoothing) * target_log_probs - uniform

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}

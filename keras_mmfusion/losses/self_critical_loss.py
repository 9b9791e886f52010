import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SelfCriticalLoss(keras.losses.Loss):
    """Negative log-likelihood of drawn tokens, each weighted by the advantage of its caption.

    With the advantage `A` as sample weight, and `p` the distribution that the tokens were drawn
    from, the softmax over all but the blocked tokens:

    ```
    loss = - Σ A log p(token)
    ```

    Tokens that are never drawn must not share in the softmax: they would gain whatever a bad
    caption loses, and nothing would ever take it from them again.

    Args:
        blocked: sequence of ints. Token ids that are never drawn.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: int tensor `(...)`, the drawn tokens.
        y_pred: float tensor `(..., vocabulary_size)`, logits.
        sample_weight: float tensor `(...)`, the advantages.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import SelfCriticalLoss
    >>> loss = SelfCriticalLoss(blocked=(2,))
    >>> round(float(loss(np.array([0]), np.array([[1.0, 1.0, 9.0]]), np.array([2.0]))), 4)
    1.3863

    Reference:
        Rennie et al., "Self-critical Sequence Training for Image Captioning", 2017, equation 8.
    """

    def __init__(self, blocked=(), reduction="sum", name="self_critical_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.blocked = tuple(int(token) for token in blocked)

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        # Added, not put in place: one pass over the logits forward, and none backward.
        logits = logits + ops.convert_to_tensor(self._bias(logits.shape[-1]))
        targets = ops.cast(y_true, "int32")
        log_probs = ops.take_along_axis(
            ops.log_softmax(logits, axis=-1), ops.expand_dims(targets, -1), axis=-1
        )
        log_probs = ops.squeeze(log_probs, -1)
        # A blocked target is padding, of weight 0: its term must not be as large as the fill.
        return -ops.where(log_probs < -1e8, 0.0, log_probs)

    def _bias(self, vocabulary_size):
        bias = np.zeros(vocabulary_size, "float32")
        bias[list(self.blocked)] = -1e9
        return bias

    def get_config(self):
        return {**super().get_config(), "blocked": self.blocked}

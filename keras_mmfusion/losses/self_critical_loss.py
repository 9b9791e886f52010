import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SelfCriticalLoss(keras.losses.Loss):
    """Negative log-likelihood of sampled tokens, weighted by the advantage of their caption.

    With the advantage `A` as sample weight, and `p` the distribution that the tokens were sampled
    from, a softmax over all but the blocked tokens:

    ```
    loss = - Σ A log p(token)
    ```

    Tokens that are never sampled must be left out of the softmax: otherwise their probability
    would grow whenever a caption is penalized, and never shrink.

    Args:
        blocked: sequence of ints. Token ids that are never sampled.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: int tensor `(...)`, the sampled tokens.
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
        # An addition takes one pass over the logits forward, and none backward.
        logits = logits + ops.convert_to_tensor(self._make_bias(logits.shape[-1]))
        targets = ops.cast(y_true, "int32")
        log_probs = ops.take_along_axis(
            ops.log_softmax(logits, axis=-1), ops.expand_dims(targets, -1), axis=-1
        )
        log_probs = ops.squeeze(log_probs, -1)
        # A blocked target is padding with weight 0: it must not contribute 0 * 1e9.
        return -ops.where(log_probs < -1e8, 0.0, log_probs)

    def _make_bias(self, vocabulary_size):
        bias = np.zeros(vocabulary_size, "float32")
        bias[list(self.blocked)] = -1e9
        return bias

    def get_config(self):
        return {**super().get_config(), "blocked": self.blocked}

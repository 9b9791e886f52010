import keras
from keras import ops

from keras_mmfusion.layers.logit_scale import LogitScale
from keras_mmfusion.losses.pair_loss import PairLoss, cosine_similarities, identity_like


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SigLIPLoss(PairLoss):
    """SigLIP: binary cross-entropy of every pair of the batch, with a learned scale and bias.

    With `z_ij = 1` for `i = j`, else `-1`:

    ```
    loss_i = - Σ_j log σ(z_ij (cos(a_i, b_j) / τ + b))
    ```

    The initial bias is negative, since most pairs of a batch do not match.

    Args:
        temperature: float. Initial τ; the weights are in `logit_scale`, see `PairLoss`.
        bias: float. Initial b.
        largest_scale: float or `None`. Upper bound of `1 / τ`.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import SigLIPLoss
    >>> image = text = np.eye(2)
    >>> round(float(SigLIPLoss(temperature=0.1, bias=-10.0)(image, text)), 4)
    0.6932

    Reference:
        Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023, section 3.2.
    """

    def __init__(
        self,
        temperature=0.1,
        bias=-10.0,
        largest_scale=100.0,
        reduction="sum_over_batch_size",
        name="sig_lip",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.temperature = temperature
        self.bias = bias
        self.largest_scale = largest_scale
        self.logit_scale = LogitScale(
            temperature, bias, largest_scale, dtype="float32", name="logit_scale"
        )
        self.logit_scale.build()

    def pair_loss(self, a, b):
        logits = self.logit_scale(cosine_similarities(a, b))
        signs = 2.0 * identity_like(logits) - 1.0
        return -ops.sum(ops.log_sigmoid(signs * logits), axis=1)

    def match_probabilities(self, similarities):
        return ops.sigmoid(self.logit_scale(similarities))

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "bias": self.bias,
            "largest_scale": self.largest_scale,
        }

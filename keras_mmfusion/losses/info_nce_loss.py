import keras
from keras import ops

from keras_mmfusion.layers.logit_scale import LogitScale
from keras_mmfusion.losses.pair_loss import PairLoss, cosine_similarities


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class InfoNCELoss(PairLoss):
    """InfoNCE in both directions, as in CLIP, with a learned temperature.

    With `s_ij = cos(a_i, b_j) / τ`:

    ```
    loss_i = - ½ log softmax_j(s_ij)[i] - ½ log softmax_j(s_ji)[i]
    ```

    Args:
        temperature: float. Initial τ; its weight is in `logit_scale`, see `PairLoss`.
        largest_scale: float or `None`. Upper bound of `1 / τ`.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import InfoNCELoss
    >>> image = text = np.eye(2)
    >>> round(float(InfoNCELoss(temperature=0.5)(image, text)), 4)
    0.1269

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
        2021, figure 3; van den Oord et al., "Representation Learning with Contrastive Predictive
        Coding", 2018, equation 4.
    """

    def __init__(
        self,
        temperature=0.07,
        largest_scale=100.0,
        reduction="sum_over_batch_size",
        name="info_nce",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.temperature = temperature
        self.largest_scale = largest_scale
        self.logit_scale = LogitScale(
            temperature, largest_scale=largest_scale, dtype="float32", name="logit_scale"
        )
        self.logit_scale.build()

    def pair_loss(self, a, b):
        logits = self.logit_scale(cosine_similarities(a, b))
        log_probs = ops.log_softmax(logits, axis=1) + ops.log_softmax(logits, axis=0)
        return -0.5 * ops.diagonal(log_probs)

    def match_probabilities(self, similarities):
        return ops.softmax(self.logit_scale(similarities), axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "largest_scale": self.largest_scale,
        }

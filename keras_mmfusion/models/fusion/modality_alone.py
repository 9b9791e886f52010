import keras
from keras import ops

from keras_mmfusion.layers.masks import masked_mean
from keras_mmfusion.models.fusion.fusion_model import encode_modality
from keras_mmfusion.models.steps_by_rank import StepsByRank


class ModalityAlone(StepsByRank, keras.Model):
    """A modality's encoder and its own head: `y_m = head_m(mean of encoder_m(x_m))`.

    Args:
        modality: string.
        encoder: layer, or `None` for a modality whose tensor is taken as it is.
        head: layer of a vector.

    Call arguments:
        inputs: dict with the modality and its mask, as for `FusionModel`.
        training: bool.
    """

    def __init__(self, modality, encoder, head, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.modality = modality
        self.encoder = encoder
        self.head = head

    def call(self, inputs, training=False):
        mask = inputs.get(f"{self.modality}_mask")
        encoded = encode_modality(self.encoder, inputs[self.modality], mask, training)
        return self.head(mean_token(*encoded), training=training)


def mean_token(value, mask):
    """The mean of the tokens that are there; a vector as it is.

    Args:
        value: float tensor `(batch, tokens, dim)` or `(batch, dim)`.
        mask: bool tensor `(batch, tokens)` or `(batch,)`, or `None` where all is there.

    Returns:
        Float tensor `(batch, dim)`.
    """
    if len(value.shape) == 2:
        return value
    everywhere = ops.ones(ops.shape(value)[:2], "bool")
    if mask is None:
        mask = everywhere
    elif len(mask.shape) == 1:
        mask = ops.logical_and(ops.expand_dims(mask, 1), everywhere)
    return masked_mean(value, mask)

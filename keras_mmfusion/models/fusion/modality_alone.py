import keras

from keras_mmfusion.layers.masks import average_tokens, broadcast_mask
from keras_mmfusion.models.fusion.fusion_model import encode_modality
from keras_mmfusion.models.steps_by_rank import StepsByRank


class ModalityAlone(StepsByRank, keras.Model):
    """A model of one modality: `y_m = head_m(mean of encoder_m(x_m))`.

    Args:
        modality: string.
        encoder: layer, or `None` to use the tensor of the modality unchanged.
        head: layer that maps a vector to the output.

    Call arguments:
        inputs: dict with the modality and its mask; see `FusionModel`.
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
        return self.head(pool_modality(*encoded), training=training)


def pool_modality(value, mask):
    """Averages the tokens that are not masked; returns a vector unchanged.

    Args:
        value: float tensor `(batch, tokens, dim)` or `(batch, dim)`.
        mask: bool tensor `(batch, tokens)` or `(batch,)`, or `None` for no masking.

    Returns:
        Float tensor `(batch, dim)`.
    """
    if len(value.shape) == 2:
        return value
    return average_tokens(value, None if mask is None else broadcast_mask(mask, value))

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.masks import concatenate_masks
from keras_mmfusion.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CrossModalExchange(keras.layers.Layer):
    """Every modality attends to itself, then to all the others.

    With `x_m`, the tokens of modality `m`, and `x_others`, the concatenated tokens of all other
    modalities before the layer:

    ```
    x_m = x_m + Attention_m(LayerNorm(x_m))
    x_m = x_m + CrossAttention_m(LayerNorm(x_m), LayerNorm(x_others))
    x_m = x_m + MLP_m(LayerNorm(x_m))
    ```

    The second line is left out if there is only one modality. If all other modalities are
    missing, the cross-attention adds zeros.

    Args:
        modalities: sequence of strings. The names of the modalities, in the layer's order.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        dropout: float in [0, 1). Dropout rate of each branch.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`, finite also where it is
            masked.
        mask: dict, modality -> bool tensor `(batch, tokens)`, `True` for a real token, or `None`
            if no token is masked.
        training: bool. Whether dropout is active.

    Output shape:
        Same as `inputs`; the outputs of masked tokens are undefined.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
    >>> inputs = {"image": np.ones((1, 4, 8)), "text": np.ones((1, 2, 8))}
    >>> mask = {"text": np.array([[True, False]])}
    >>> exchanged = CrossModalExchange(("image", "text"), num_heads=2)(inputs, mask)
    >>> tuple(exchanged["image"].shape)
    (1, 4, 8)

    Reference:
        Tan and Bansal, "LXMERT", 2019, section 2.2; its cross-modality encoder attends to the
        other modality first, and is post-norm.
    """

    def __init__(self, modalities, num_heads, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.modalities = tuple(modalities)
        self.num_heads = num_heads
        self.dropout = dropout
        self.supports_masking = True

    def build(self, inputs_shape):
        self.self_blocks, self.cross_blocks = {}, {}
        single = len(self.modalities) == 1
        for name in self.modalities:
            shape = inputs_shape[name]
            mlp_dim = 4 * shape[-1]
            self.self_blocks[name] = self._make_block(
                f"{name}_self_block", mlp_dim if single else None
            )
            self.self_blocks[name].build(shape)
            if not single:
                self.cross_blocks[name] = self._make_block(f"{name}_cross_block", mlp_dim)
                self.cross_blocks[name].build(shape, shape)

    def _make_block(self, name, mlp_dim):
        return TransformerBlock(
            self.num_heads, mlp_dim, self.dropout, dtype=self.dtype_policy, name=name
        )

    def call(self, inputs, mask=None, training=None):
        inputs = {name: cast_input(self, inputs[name]) for name in self.modalities}
        mask = {name: cast_mask((mask or {}).get(name)) for name in self.modalities}
        exchanged = {
            name: self.self_blocks[name](x, mask=mask[name], training=training)
            for name, x in inputs.items()
        }
        for name, block in self.cross_blocks.items():
            others = [other for other in self.modalities if other != name]
            context = [inputs[other] for other in others]
            exchanged[name] = block(
                exchanged[name],
                ops.concatenate(context, axis=1),
                context_mask=concatenate_masks(context, [mask[other] for other in others]),
                training=training,
            )
        return exchanged

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }

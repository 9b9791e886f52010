import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.masks import joined_mask
from keras_mmfusion.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CrossModalExchange(keras.layers.Layer):
    """One stage of exchange: every modality attends to itself, then to all the others.

    With `x_m`, the tokens of modality `m`, and `x_others`, those of all other modalities laid end
    to end, as they were before the stage:

    ```
    x_m = x_m + Attention_m(LayerNorm(x_m))
    x_m = x_m + CrossAttention_m(LayerNorm(x_m), LayerNorm(x_others))
    x_m = x_m + MLP_m(LayerNorm(x_m))
    ```

    Of a single modality, the first and the last line. A sample without any other modality gets
    nothing from them.

    Args:
        modalities: sequence of strings. The names of the modalities, in the order of the call.
        num_heads: int. Attention heads; must divide the dim of the tokens.
        dropout: float. Dropout of each branch before it is added.

    Call arguments:
        values: list of float tensors `(batch, tokens, dim)`, finite also where they are masked.
        present: list of bool tensors `(batch, tokens)`, `True` for a real token, or `None` where
            all are.

    Output shape:
        A list of the shapes of `values`; rows of masked tokens are of no use.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
    >>> values = [np.ones((1, 4, 8)), np.ones((1, 2, 8))]
    >>> present = [np.ones((1, 4), bool), np.ones((1, 2), bool)]
    >>> exchange = CrossModalExchange(("image", "text"), num_heads=2)
    >>> [tuple(x.shape) for x in exchange(values, present)]
    [(1, 4, 8), (1, 2, 8)]

    Reference:
        Tan and Bansal, "LXMERT", 2019, section 2.2 (its cross-modality encoder attends to the
        other modality first, and is post-norm).
    """

    def __init__(self, modalities, num_heads, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.modalities = tuple(modalities)
        self.num_heads = num_heads
        self.dropout = dropout

    def build(self, values_shape):
        self.self_blocks, self.cross_blocks = [], []
        single = len(values_shape) == 1
        for name, shape in zip(self.modalities, values_shape, strict=True):
            mlp_dim = 4 * shape[-1]
            own = self._block(f"{name}_self_block", mlp_dim if single else None)
            own.build(shape)
            self.self_blocks.append(own)
            if not single:
                cross = self._block(f"{name}_cross_block", mlp_dim)
                cross.build(shape, shape)
                self.cross_blocks.append(cross)

    def _block(self, name, mlp_dim):
        return TransformerBlock(
            self.num_heads, mlp_dim, self.dropout, dtype=self.dtype_policy, name=name
        )

    def call(self, values, present):
        values = [cast_input(self, x) for x in values]
        present = [cast_mask(mask) for mask in present]
        exchanged = [
            block(x, mask=mask)
            for block, x, mask in zip(self.self_blocks, values, present, strict=True)
        ]
        for m, block in enumerate(self.cross_blocks):
            others = ops.concatenate(_without(values, m), axis=1)
            mask = joined_mask(_without(values, m), _without(present, m))
            exchanged[m] = block(exchanged[m], others, context_mask=mask)
        return exchanged

    def compute_output_shape(self, values_shape):
        return values_shape

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }


def _without(items, place):
    return [*items[:place], *items[place + 1 :]]

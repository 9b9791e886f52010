import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CrossModalTransformer(keras.layers.Layer):
    """Pre-norm Transformer blocks with one context, and a final layer normalization.

    ```
    x = Block_i(x, context)     i = 1 ... num_layers
    y = LayerNorm(x)
    ```

    Every block attends to the same context. Without a context, the blocks use self-attention.

    Args:
        num_layers: int. The number of blocks.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        dropout: float in [0, 1). Dropout rate of each branch.

    Call arguments: see `TransformerBlock`.

    Output shape:
        As `x`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import CrossModalTransformer
    >>> text_from_image = CrossModalTransformer(num_layers=2, num_heads=2)
    >>> tuple(text_from_image(np.ones((1, 5, 8)), np.ones((1, 49, 6))).shape)
    (1, 5, 8)

    Reference:
        Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", 2019,
        section 3.2, equation 4; the residual is `x`, as in the authors' code.
    """

    def __init__(self, num_layers, num_heads, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = num_heads
        self.dropout = dropout
        self.supports_masking = True

    def build(self, x_shape, context_shape=None):
        dim = x_shape[-1]
        self.blocks = []
        for i in range(self.num_layers):
            block = TransformerBlock(
                self.num_heads, 4 * dim, self.dropout, dtype=self.dtype_policy, name=f"block_{i}"
            )
            block.build(x_shape, context_shape)
            self.blocks.append(block)
        self.output_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="output_norm"
        )
        self.output_norm.build((None, None, dim))

    def call(self, x, context=None, mask=None, context_mask=None, training=None):
        for block in self.blocks:
            x = block(x, context, mask=mask, context_mask=context_mask, training=training)
        return self.output_norm(x)

    def compute_mask(self, x, mask=None):
        return None

    def compute_output_shape(self, x_shape, context_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }

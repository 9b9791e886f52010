import keras
from keras import ops

from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.temporal.temporal_fusion import TransformerTemporalFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TemporalTransformer(TransformerTemporalFusion):
    """Averages the tokens of each frame, and applies a Transformer to the frames.

    ```
    z_f = mean_t x[:, f, t]
    z = z + SelfAttention(LayerNorm(z));  z = z + MLP(LayerNorm(z))     num_layers times
    y = LayerNorm(z)
    ```

    Args:
        num_layers: int. The number of Transformer blocks.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLPs; `None` for 4 times the dim.
        dropout: float in [0, 1). Dropout rate of each branch of a block.

    Call arguments: see `TemporalFusion`.

    Output shape:
        `(batch, frames, dim)`, zeros for masked frames.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import TemporalTransformer
    >>> tuple(TemporalTransformer(num_heads=2)(np.ones((2, 6, 9, 8))).shape)
    (2, 6, 8)

    Reference:
        The temporal encoder of the "factorised encoder" in Arnab et al., "ViViT: A Video Vision
        Transformer", 2021, section 3.3, model 2.
    """

    def fuse(self, tokens, mask, training):
        x = ops.cast(ops.mean(ops.cast(tokens, "float32"), axis=2), tokens.dtype)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
        return zero_masked(self.output_norm(x), mask)

    def mask_tokens(self, mask, count):
        return mask

    def compute_output_shape(self, tokens_shape):
        return (*tokens_shape[:2], tokens_shape[3])

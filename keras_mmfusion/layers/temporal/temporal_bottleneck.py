import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.masks import average_tokens
from keras_mmfusion.layers.temporal.temporal_fusion import TransformerTemporalFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TemporalBottleneck(TransformerTemporalFusion):
    """Frames exchange information only through a few shared tokens.

    ```
    [x_f, b_f] = Block([x_f, b])        for each frame f
    b = mean_f b_f                      over unmasked frames; num_layers times
    y = LayerNorm(b)
    ```

    The number of outputs does not depend on the number of frames, so long videos are inexpensive
    for the layers that follow.

    Args:
        num_bottlenecks: int. The number of shared tokens `b`, which are learned.
        num_layers: int. The number of layers.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLPs; `None` for 4 times the dim.
        dropout: float in [0, 1). Dropout rate of each branch of a block.

    Call arguments: see `TemporalFusion`.

    Output shape:
        `(batch, num_bottlenecks, dim)`, without masked tokens.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import TemporalBottleneck
    >>> tuple(TemporalBottleneck(num_bottlenecks=5, num_heads=2)(np.ones((2, 6, 9, 8))).shape)
    (2, 5, 8)

    Reference:
        Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", 2021, equations 8 and 9,
        with frames in place of modalities.
    """

    def __init__(
        self, num_bottlenecks=4, num_layers=2, num_heads=4, mlp_dim=None, dropout=0.0, **kwargs
    ):
        super().__init__(num_layers, num_heads, mlp_dim, dropout, **kwargs)
        self.num_bottlenecks = check_integer(self, "num_bottlenecks", num_bottlenecks)

    def build(self, tokens_shape):
        super().build(tokens_shape)
        self.bottlenecks = self.add_weight(
            (self.num_bottlenecks, tokens_shape[-1]),
            keras.initializers.RandomNormal(stddev=0.02),
            name="bottlenecks",
        )

    def fuse(self, tokens, mask, training):
        frames, count, dim = ops.shape(tokens)[1:]
        size = self.num_bottlenecks * dim
        x = ops.reshape(tokens, (-1, count, dim))
        learned = ops.reshape(ops.cast(self.bottlenecks, x.dtype), (1, size))
        learned = ops.repeat(learned, ops.shape(tokens)[0], axis=0)
        shared = learned
        for block in self.blocks:
            each = ops.reshape(ops.repeat(shared, frames, axis=0), (-1, *self.bottlenecks.shape))
            x = block(ops.concatenate([x, each], axis=1), training=training)
            each = ops.reshape(x[:, -self.num_bottlenecks :], (-1, frames, size))
            x = x[:, : -self.num_bottlenecks]
            shared = average_tokens(each, mask)
        if mask is not None:
            shared = ops.where(ops.any(mask, axis=1)[:, None], shared, learned)
        return self.output_norm(ops.reshape(shared, (-1, *self.bottlenecks.shape)))

    def compute_output_shape(self, tokens_shape):
        return tokens_shape[0], self.num_bottlenecks, tokens_shape[-1]

    def get_config(self):
        return {**super().get_config(), "num_bottlenecks": self.num_bottlenecks}

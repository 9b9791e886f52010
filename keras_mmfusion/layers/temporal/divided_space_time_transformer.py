import keras
from keras import ops

from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.temporal.temporal_fusion import TransformerTemporalFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class DividedSpaceTimeTransformer(TransformerTemporalFusion):
    """Transformer whose tokens attend over time and over space in turn.

    ```
    x = x + Attention(LayerNorm(x))    among the tokens of all frames at the same position
    x = x + Attention(LayerNorm(x))    among the tokens of the same frame
    x = x + MLP(LayerNorm(x))          num_layers times
    y = LayerNorm(x)
    ```

    Args:
        num_layers: int. The number of layers.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLPs; `None` for 4 times the dim.
        dropout: float in [0, 1). Dropout rate of each branch.

    Call arguments: see `TemporalFusion`.

    Output shape:
        `(batch, frames * tokens, dim)`, one frame after the other; zeros for masked frames.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import DividedSpaceTimeTransformer
    >>> tuple(DividedSpaceTimeTransformer(num_heads=2)(np.ones((2, 6, 9, 8))).shape)
    (2, 54, 8)

    Reference:
        Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", 2021,
        equations 4 to 8.
    """

    keeps_positions = True

    def build(self, tokens_shape):
        super().build(tokens_shape)
        self.time_blocks = [
            self.make_block(f"time_block_{index}", tokens_shape[-1], mlp=False)
            for index in range(self.num_layers)
        ]

    def fuse(self, tokens, mask, training):
        frames, count, dim = ops.shape(tokens)[1:]
        time_mask = None if mask is None else ops.repeat(mask, count, axis=0)
        x = ops.reshape(tokens, (-1, count, dim))
        for time_block, space_block in zip(self.time_blocks, self.blocks, strict=True):
            x = self._swap_axes(x, frames, count)
            x = time_block(x, mask=time_mask, training=training)
            x = self._swap_axes(x, count, frames)
            x = space_block(x, training=training)
        x = ops.reshape(self.output_norm(x), (-1, frames, count, dim))
        return ops.reshape(zero_masked(x, mask), (-1, frames * count, dim))

    def _swap_axes(self, x, rows, columns):
        """Transposes `(batch * rows, columns, dim)` to `(batch * columns, rows, dim)`."""
        dim = x.shape[-1]
        x = ops.transpose(ops.reshape(x, (-1, rows, columns, dim)), (0, 2, 1, 3))
        return ops.reshape(x, (-1, rows, dim))

    def mask_tokens(self, mask, count):
        return ops.repeat(mask, count, axis=1)

    def compute_output_shape(self, tokens_shape):
        batch, frames, count, dim = tokens_shape
        return batch, None if None in (frames, count) else frames * count, dim

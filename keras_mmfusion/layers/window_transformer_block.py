import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.relative_position_bias import RelativePositionBias
from keras_mmfusion.layers.transformer_block import TransformerBlock

# Added to the scores of tokens that only the shift puts into one window, as in the source.
_SHIFT_BIAS = -100.0


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class WindowTransformerBlock(TransformerBlock):
    """Transformer block in which tokens attend to those of the same window of their grid.

    ```
    x = x + Attention(LayerNorm(x)) in each window, with the scores Q Kᵀ / √d_k + B
    x = x + MLP(LayerNorm(x))
    ```

    The windows do not overlap. With a `shift`, they begin that many rows and columns later, and
    the rest of the grid wraps around: its tokens share windows, but do not attend to each other.
    Blocks with and without a shift alternate in Swin. A grid that is not a multiple of the window
    is padded with zeros. `B` is a `RelativePositionBias`.

    Args:
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLP; `None` for a block without an MLP.
        grid: pair of ints, (rows, columns) of the tokens.
        window_size: int. Rows and columns of a window.
        shift: int. By how many rows and columns the windows are shifted.
        dropout: float in [0, 1). Dropout rate of each branch.
        activation: string. The activation of the MLP; see `TransformerBlock`.
        epsilon: float. Added to the variance in the normalizations.

    Call arguments:
        x: float tensor `(batch, rows * columns, dim)`, row by row.
        training: bool. Whether dropout is active.

    Output shape:
        Same as `x`.

    Raises:
        ValueError: if the window is larger than the grid, or the shift is not smaller than the
            window.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import WindowTransformerBlock
    >>> block = WindowTransformerBlock(2, mlp_dim=16, grid=(4, 6), window_size=2, shift=1)
    >>> tuple(block(np.ones((1, 24, 8))).shape)
    (1, 24, 8)

    Reference:
        Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        ICCV 2021, section 3.2.
    """

    def __init__(
        self,
        num_heads,
        mlp_dim=None,
        grid=(7, 7),
        window_size=7,
        shift=0,
        dropout=0.0,
        activation="gelu",
        epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(
            num_heads, mlp_dim, dropout, activation=activation, epsilon=epsilon, **kwargs
        )
        self.grid = tuple(check_integer(self, "grid", size) for size in grid)
        self.window_size = check_integer(self, "window_size", window_size, maximum=min(self.grid))
        self.shift = check_integer(self, "shift", shift, minimum=0, maximum=window_size - 1)
        self.position_bias = RelativePositionBias(
            (window_size, window_size), num_heads, dtype=self.dtype_policy, name="position_bias"
        )
        self._padded = tuple(-(-size // window_size) * window_size for size in self.grid)
        self._shift_bias = _make_shift_bias(self._padded, window_size, shift) if shift else None

    def build(self, x_shape):
        super().build(x_shape)
        self.position_bias.build((None, self.window_size**2, x_shape[-1]))

    def call(self, x, training=None):
        return super().call(x, training=training)

    def _attend(self, query, keys, training=None, **masks):
        dim = query.shape[-1]
        x = ops.reshape(query, (-1, *self.grid, dim))
        padding = [(0, new - old) for new, old in zip(self._padded, self.grid, strict=True)]
        x = ops.pad(x, [(0, 0), *padding, (0, 0)])
        windows = _split_windows(self._roll(x, -self.shift), self.window_size)
        windows = ops.reshape(windows, (-1, self.window_size**2, dim))
        attended = self.attention(
            windows, windows, attention_bias=self._make_bias(windows), training=training
        )
        x = self._roll(_join_windows(attended, self.window_size, *self._padded), self.shift)
        rows, columns = self.grid
        return ops.reshape(x[:, :rows, :columns], (-1, rows * columns, dim))

    def _roll(self, x, shift):
        return ops.roll(x, (shift, shift), axis=(1, 2)) if self.shift else x

    def _make_bias(self, windows):
        """The bias of the scores `(1 or batch * windows, num_heads, tokens, tokens)`."""
        bias = self.position_bias(windows)
        if self._shift_bias is None:
            return bias
        bias = bias + ops.cast(self._shift_bias, bias.dtype)
        return ops.tile(bias, (ops.shape(windows)[0] // len(self._shift_bias), 1, 1, 1))

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        config = super().get_config()
        del config["gated"], config["layer_scale"]
        return {
            **config,
            "grid": list(self.grid),
            "window_size": self.window_size,
            "shift": self.shift,
        }


def _split_windows(x, size):
    """`(batch, rows, columns, dim)` to `(batch, windows, size, size, dim)`."""
    _, rows, columns, dim = x.shape
    x = ops.reshape(x, (-1, rows // size, size, columns // size, size, dim))
    return ops.reshape(
        ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, x.shape[1] * x.shape[3], size, size, dim)
    )


def _join_windows(x, size, rows, columns):
    """`(batch * windows, tokens, dim)` to `(batch, rows, columns, dim)`."""
    dim = x.shape[-1]
    x = ops.reshape(x, (-1, rows // size, columns // size, size, size, dim))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, dim))


def _make_shift_bias(grid, size, shift):
    """Bias `(windows, 1, tokens, tokens)` between tokens of different parts of the grid."""
    rows, columns = (
        np.searchsorted([length - size, length - shift], np.arange(length), side="right")
        for length in grid
    )
    parts = rows[:, None] * 3 + columns
    parts = parts.reshape(grid[0] // size, size, grid[1] // size, size)
    parts = parts.transpose(0, 2, 1, 3).reshape(-1, 1, size * size)
    return np.where(parts[..., None] != parts[:, :, None], _SHIFT_BIAS, 0).astype("float32")

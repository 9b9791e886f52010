import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PatchMerging(keras.layers.Layer):
    """Merges each two by two positions of a grid of tokens into one of twice the dim.

    ```
    y = W LayerNorm([x_(0,0); x_(1,0); x_(0,1); x_(1,1)])         W: 2 dim × 4 dim, no bias
    ```

    A grid with an odd number of rows or columns is padded with zeros.

    Args:
        grid: pair of ints, (rows, columns) of the tokens.

    Call arguments:
        tokens: float tensor `(batch, rows * columns, dim)`, row by row.

    Output shape:
        `(batch, ceil(rows / 2) * ceil(columns / 2), 2 * dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import PatchMerging
    >>> tuple(PatchMerging(grid=(4, 5))(np.zeros((2, 20, 8))).shape)
    (2, 6, 16)

    Reference:
        Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        ICCV 2021, section 3.1.
    """

    def __init__(self, grid, **kwargs):
        super().__init__(**kwargs)
        self.grid = tuple(check_integer(self, "grid", size) for size in grid)
        self.merged_grid = tuple(-(-size // 2) for size in self.grid)
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="norm"
        )

    def build(self, tokens_shape):
        self.dim = tokens_shape[-1]
        self.norm.build((None, None, 4 * self.dim))
        self.reduction = Dense(
            2 * self.dim, use_bias=False, dtype=self.dtype_policy, name="reduction"
        )
        self.reduction.build((None, 4 * self.dim))

    def call(self, tokens):
        rows, columns = self.merged_grid
        x = ops.reshape(cast_input(self, tokens), (-1, *self.grid, self.dim))
        padding = [(0, 2 * new - old) for new, old in zip(self.merged_grid, self.grid, strict=True)]
        x = ops.pad(x, [(0, 0), *padding, (0, 0)])
        x = ops.reshape(x, (-1, rows, 2, columns, 2, self.dim))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 4, 2, 5)), (-1, rows * columns, 4 * self.dim))
        return apply_to_rows(self.reduction, self.norm(x))

    def compute_output_shape(self, tokens_shape):
        rows, columns = self.merged_grid
        return tokens_shape[0], rows * columns, 2 * tokens_shape[-1]

    def get_config(self):
        return {**super().get_config(), "grid": list(self.grid)}

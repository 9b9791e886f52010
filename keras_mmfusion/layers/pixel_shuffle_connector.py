import math

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PixelShuffleConnector(keras.layers.Layer):
    """Maps each square of an image's tokens to one token of a language model.

    ```
    y_(i,j) = W [x_(si,sj); x_(si,sj+1); ...; x_(si+s-1,sj+s-1)]        s: scale_factor
    ```

    The tokens of a square of `s × s` positions are concatenated, row by row, and projected without
    a bias. The number of tokens is divided by `s²`, with no loss of information before `W`.

    Args:
        output_dim: int. The size of the embeddings of the language model.
        scale_factor: int. The side `s` of the squares; must divide the sides of the grid.
        grid: pair of ints, (rows, columns) of the tokens, or `None` for a square.

    Call arguments:
        tokens: float tensor `(batch, rows * columns, dim)`, row by row.

    Output shape:
        `(batch, rows * columns / scale_factor**2, output_dim)`.

    Raises:
        ValueError: if the tokens do not form such a grid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import PixelShuffleConnector
    >>> tuple(PixelShuffleConnector(output_dim=6, scale_factor=2)(np.zeros((2, 16, 5))).shape)
    (2, 4, 6)

    Reference:
        Marafioti et al., "SmolVLM: Redefining small and efficient multimodal models", 2025,
        section 2.2; Laurençon et al., "Building and better understanding vision-language models",
        2024, section 2.3.
    """

    def __init__(self, output_dim, scale_factor=2, grid=None, **kwargs):
        super().__init__(**kwargs)
        self.output_dim = check_integer(self, "output_dim", output_dim)
        self.scale_factor = check_integer(self, "scale_factor", scale_factor)
        self.grid = None if grid is None else tuple(check_integer(self, "grid", n) for n in grid)
        self.projection = Dense(
            output_dim, use_bias=False, dtype=self.dtype_policy, name="projection"
        )

    def build(self, tokens_shape):
        self._find_grid(tokens_shape[1])
        self.projection.build((None, tokens_shape[-1] * self.scale_factor**2))

    def _find_grid(self, tokens):
        side = math.isqrt(tokens) if tokens else 0
        rows, columns = grid = self.grid or (side, side)
        if rows * columns != tokens or rows % self.scale_factor or columns % self.scale_factor:
            raise ValueError(
                "PixelShuffleConnector: the tokens must form a `grid` whose sides `scale_factor` "
                f"divides. Received: {tokens} tokens, grid={self.grid}, "
                f"scale_factor={self.scale_factor}. Pass the `grid` of the encoder; it must have "
                "no class token."
            )
        return grid

    def call(self, tokens):
        x = cast_input(self, tokens)
        rows, columns = self._find_grid(x.shape[1])
        size, dim = self.scale_factor, x.shape[-1]
        x = ops.reshape(x, (-1, rows // size, size, columns // size, size, dim))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, rows * columns // size**2, dim * size**2))
        return apply_to_rows(self.projection, x)

    def compute_output_shape(self, tokens_shape):
        return tokens_shape[0], tokens_shape[1] // self.scale_factor**2, self.output_dim

    def get_config(self):
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "scale_factor": self.scale_factor,
            "grid": None if self.grid is None else list(self.grid),
        }

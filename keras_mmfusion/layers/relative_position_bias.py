import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RelativePositionBias(keras.layers.Layer):
    """A learned bias of attention scores for each distance between two positions of a grid.

    ```
    B[h, i, j] = T[r, h]        r: index of the distance (row_i - row_j, column_i - column_j)
    ```

    `CrossModalAttention` and `TransformerBlock` add it as their `attention_bias`. Layers may share
    one.

    Args:
        grid: pair of ints, (rows, columns).
        num_heads: int. Number of attention heads.
        class_token: bool. Whether a class token precedes the positions of the grid. Three entries
            of `T` are for scores from it, to it, and of it to itself.

    Call arguments:
        tokens: tensor `(batch, tokens, dim)`, of which only the number of tokens is used.

    Output shape:
        `(1, num_heads, tokens, tokens)`.

    Raises:
        ValueError: if the number of tokens is not that of the grid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import RelativePositionBias
    >>> bias = RelativePositionBias((2, 3), num_heads=4, class_token=True)
    >>> tuple(bias(np.zeros((1, 7, 8))).shape)
    (1, 4, 7, 7)

    Reference:
        Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        ICCV 2021, equation 4; class token: Bao et al., "BEiT: BERT Pre-Training of Image
        Transformers", ICLR 2022.
    """

    def __init__(self, grid, num_heads, class_token=False, **kwargs):
        super().__init__(**kwargs)
        self.grid = tuple(check_integer(self, "grid", size) for size in grid)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.class_token = bool(class_token)
        self._index, self._distances = _make_index(*self.grid, self.class_token)

    def build(self, tokens_shape):
        if tokens_shape[1] not in (None, len(self._index)):
            raise ValueError(
                f"RelativePositionBias: `tokens` must be the {len(self._index)} tokens of the grid "
                f"{self.grid}. Received shape: {tuple(tokens_shape)}"
            )
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight((self._distances, self.num_heads), normal, name="table")

    def call(self, tokens):
        bias = ops.take(ops.convert_to_tensor(self.table), self._index, axis=0)
        return ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0)

    def compute_output_shape(self, tokens_shape):
        return 1, self.num_heads, len(self._index), len(self._index)

    def get_config(self):
        return {
            **super().get_config(),
            "grid": list(self.grid),
            "num_heads": self.num_heads,
            "class_token": self.class_token,
        }


def _make_index(rows, columns, class_token):
    """Returns the row of the table for each pair of tokens, and the number of rows."""
    positions = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    positions = positions.reshape(2, -1)
    distances = positions[:, :, None] - positions[:, None, :]
    index = (distances[0] + rows - 1) * (2 * columns - 1) + distances[1] + columns - 1
    count = (2 * rows - 1) * (2 * columns - 1)
    if class_token:
        index = np.pad(index, ((1, 0), (1, 0)))
        index[0, :], index[:, 0], index[0, 0] = count, count + 1, count + 2
        count += 3
    return index.astype("int32"), count

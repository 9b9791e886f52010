import math

import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph.convolution.gcn_layer import GCNLayer
from keras_mmfusion.layers.graph.core.gcn_normalization import normalize_graph
from keras_mmfusion.layers.graph.core.similar_nodes import find_similar_nodes


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ImageGraph(keras.layers.Layer):
    """Graph convolutions over an image's tokens.

    ```
    A_ij = 1 if i and j are adjacent in the grid, diagonally included,
             or one is among the `neighbors` tokens most similar to the other,
           0 otherwise
    h⁰ = x W + b
    hˡ = hˡ⁻¹ + GELU(GCN_l(LayerNorm(hˡ⁻¹), A))
    y = LayerNorm(hᴸ)
    ```

    Similarity is the cosine of `x`; no gradient flows through the selection. `GCN_l` is a
    `GCNLayer`.

    Args:
        dim: int. Size of the node features.
        num_layers: int. Number of convolutions, `L`.
        neighbors: int. Number of similarity edges per token; 0 for grid edges alone.
        grid: pair of ints, the (height, width) of the grid, whose cells are the tokens in row-major
            order; `None` for a square.
        dropout: float in [0, 1). Dropout of each convolution's output.

    Call arguments:
        tokens: float tensor `(batch, height * width, token_dim)`.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, height * width, dim)`.

    Raises:
        ValueError: if a size is not a positive integer, or the number of tokens does not match
            the grid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import ImageGraph
    >>> tuple(ImageGraph(32, grid=(2, 3))(np.random.rand(4, 6, 1280)).shape)
    (4, 6, 32)

    Reference:
        Edges between similar patches of an image: Han et al., "Vision GNN: An Image is Worth Graph
        of Nodes", 2022, section 3.1, which uses another graph convolution.
    """

    def __init__(self, dim, num_layers=2, neighbors=8, grid=None, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.neighbors = neighbors and check_integer(self, "neighbors", neighbors)
        if grid is not None and (
            len(grid) != 2 or not all(isinstance(n, int) and n > 0 for n in grid)
        ):
            raise ValueError(
                f"ImageGraph: `grid` must be two positive ints (height, width). Received: {grid!r}"
            )
        self.grid = None if grid is None else tuple(grid)
        self.dropout = check_fraction(self, "dropout", dropout)
        policy = self.dtype_policy
        self.projection = Dense(dim, dtype=policy, name="projection")
        self.dropout_layer = Dropout(dropout, dtype=policy)
        self.norms = [self._norm(f"norm_{i}") for i in range(num_layers)]
        self.convolutions = [
            GCNLayer(dim, activation="gelu", dtype=policy, name=f"convolution_{i}")
            for i in range(num_layers)
        ]
        self.final_norm = self._norm("final_norm")

    def _norm(self, name):
        return keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy, name=name)

    def build(self, tokens_shape):
        count = tokens_shape[1] if len(tokens_shape) == 3 else None
        side = math.isqrt(count or 0)
        height, width = self.grid or (side, side)
        if count is None or height * width != count:
            raise ValueError(
                "ImageGraph: `tokens` must have the shape (batch, height * width, dim), with the "
                f"height and width of `grid`, or of a square. Received: grid={self.grid}, shape "
                f"{tuple(tokens_shape)}"
            )
        self.grid_adjacency = _compute_grid_adjacency(height, width)
        self.projection.build(tokens_shape)
        shape = (None, count, self.dim)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            norm.build(shape)
            convolution.build({"node_features": shape, "adjacency": (None, count, count)})
        self.final_norm.build(shape)

    def call(self, tokens, training=None):
        tokens = cast_input(self, tokens)
        x = self.projection(tokens)
        graph = normalize_graph({"node_features": x, "adjacency": self._adjacency(tokens)})
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            update = convolution({**graph, "node_features": norm(x)})
            x = x + self.dropout_layer(update, training=training)
        return self.final_norm(x)

    def _adjacency(self, tokens):
        adjacent = ops.broadcast_to(
            ops.convert_to_tensor(self.grid_adjacency),
            (ops.shape(tokens)[0], *self.grid_adjacency.shape),
        )
        if self.neighbors:
            similar = find_similar_nodes(tokens, tokens, self.neighbors, loops=False)
            similar = ops.logical_or(similar, ops.transpose(similar, (0, 2, 1)))
            adjacent = ops.logical_or(adjacent, similar)
        return ops.cast(adjacent, self.compute_dtype)

    def compute_output_shape(self, tokens_shape):
        return (*tokens_shape[:2], self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "num_layers": self.num_layers,
            "neighbors": self.neighbors,
            "grid": self.grid and list(self.grid),
            "dropout": self.dropout,
        }


def _compute_grid_adjacency(height, width):
    """Returns which cells of a grid, in row-major order, are neighbors: bool `(cells, cells)`."""
    cells = np.stack(np.divmod(np.arange(height * width), width), axis=1)
    distance = np.abs(cells[:, None] - cells[None, :]).max(axis=-1)
    return distance == 1

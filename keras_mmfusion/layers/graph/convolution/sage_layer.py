import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.graph.convolution.graph_conv_base import GraphConvBase


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SAGELayer(GraphConvBase):
    """GraphSAGE: combines each node's features with an aggregate of its neighbors' features.

    ```
    h'_i = σ(W_self h_i + W_neighbors n_i + b)
    mean:  n_i = Σ_j w_ij h_j / Σ_j w_ij
    max:   n_i = max_j ReLU(W_pool h_j + b_pool)
    ```

    The maximum is over the edges of nonzero weight. For a node without edges, `n_i` is zero. The
    layer suits sampled neighborhoods and bipartite graphs.

    Args:
        units: int. Size of the output.
        aggregation: "mean" or "max".
        activation: σ, a name or function. Defaults to none.
        use_bias: bool.
        kernel_initializer: initializer of the kernels.
        kernel_regularizer: regularizer of the kernels.

    Call arguments:
        graph: dict, see `GraphLayer`; an edge list or a batch of dense graphs.

    Output shape:
        `(nodes, units)`, or `(batch, nodes, units)`.

    Raises:
        ValueError: if the graph dict is invalid, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import SAGELayer
    >>> graph = {
    ...     "node_features": np.random.rand(4, 8).astype("float32"),
    ...     "target_features": np.random.rand(2, 3).astype("float32"),
    ...     "edge_index": np.array([[0, 1, 2, 3, 3], [0, 0, 1, 1, 0]]),
    ... }
    >>> tuple(SAGELayer(16, "max", activation="relu")(graph).shape)
    (2, 16)

    Reference:
        Hamilton et al., "Inductive Representation Learning on Large Graphs", 2017, algorithm 1 and
        equation 3.
    """

    def __init__(self, units, aggregation="mean", activation=None, use_bias=True, **kwargs):
        super().__init__(activation, use_bias, **kwargs)
        self.units = self.output_dim = check_integer(self, "units", units)
        if aggregation not in ("mean", "max"):
            raise ValueError(
                f"SAGELayer: `aggregation` must be 'mean' or 'max'. Received: {aggregation!r}"
            )
        self.aggregation = aggregation

    def build_layer(self, source_dim, target_dim):
        self.pool_dense = None
        if self.aggregation == "max":
            self.pool_dense = self.make_kernel(
                source_dim, source_dim, "pool", activation="relu", use_bias=True
            )
        self.self_dense = self.make_kernel(target_dim, self.units, "self")
        self.neighbor_dense = self.make_kernel(source_dim, self.units, "neighbors")
        self.bias = self.add_bias()

    def call(self, graph, mask=None):
        inputs = self.parse(graph, mask)
        if self.pool_dense is not None:
            x = inputs.edges.max(apply_to_rows(self.pool_dense, inputs.sources))
        else:
            x = inputs.edges.mean(inputs.sources)
        x = apply_to_rows(self.neighbor_dense, x) + apply_to_rows(self.self_dense, inputs.targets)
        return inputs.mask_outputs(self.activate(x, self.bias))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "aggregation": self.aggregation,
        }

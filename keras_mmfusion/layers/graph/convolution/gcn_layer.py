import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.graph.convolution.graph_conv_base import GraphConvBase
from keras_mmfusion.layers.graph.core.gcn_normalization import get_loop_weight, propagate


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GCNLayer(GraphConvBase):
    """Graph convolution.

    ```
    H' = σ(D̃^-½ Ã D̃^-½ H W + b),  Ã = A + I,  D̃ = diag(Σ_j Ã_ij)
    ```

    `A` is the graph's adjacency, including edge weights and existing self-loops. For each node:

    ```
    h'_i = σ(W Σ_j w_ij h_j / √(d_i d_j) + b),  over the edges j → i and the self-loop of i
    ```

    The layer computes the normalization; for a fixed graph, `normalize_graph` computes it once. On
    a bipartite graph `H' = σ(D_t^-½ A D_s^-½ H W + b)`, with the degrees of targets and sources
    and no self-loops. A node without edges keeps its own features; without self-loops it gets
    zeros before the bias.

    Args:
        units: int. Size of the output. `None` for no `W`: features are only propagated, as in
            SGC, or have been projected before.
        activation: σ, a name or function. Defaults to none.
        use_bias: bool.
        self_loops: bool. `False` for `Ã = A`.
        improved: bool. `True` for `Ã = A + 2I`.
        kernel_initializer: initializer of `W`.
        kernel_regularizer: regularizer of `W`.

    Call arguments:
        graph: dict, see `GraphLayer`; an edge list or a batch of dense graphs.

    Output shape:
        `(nodes, units)`, or `(batch, nodes, units)`.

    Raises:
        ValueError: if the graph dict is invalid, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import GCNLayer
    >>> edges = {"edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]])}
    >>> dense = {"adjacency": np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]])}
    >>> x = np.random.rand(3, 8).astype("float32")
    >>> layer = GCNLayer(16, activation="relu")
    >>> tuple(layer({"node_features": x, **edges}).shape)
    (3, 16)
    >>> tuple(layer({"node_features": x[None], **dense}).shape)
    (1, 3, 16)

    Reference:
        Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", 2017,
        equation 2; `improved`: Gao and Ji, "Graph U-Nets", 2019, section 3.4.
    """

    def __init__(
        self,
        units=None,
        activation=None,
        use_bias=True,
        self_loops=True,
        improved=False,
        **kwargs,
    ):
        super().__init__(activation, use_bias, **kwargs)
        self.units = units if units is None else check_integer(self, "units", units)
        self.self_loops = self_loops
        self.improved = improved

    def build_layer(self, source_dim, target_dim):
        self.output_dim = self.units or source_dim
        self.projection = None
        if self.units is not None:
            self.projection = self.make_kernel(source_dim, self.units, "projection")
        self.bias = self.add_bias()

    def call(self, graph, mask=None):
        inputs = self.parse(graph, mask)
        loop = get_loop_weight(self.self_loops, self.improved)
        x = inputs.sources
        # Project before propagating if that makes the messages smaller; the product is the same.
        project_first = self.units is not None and self.units <= x.shape[-1]
        if project_first:
            x = apply_to_rows(self.projection, x)
        x = propagate(inputs, x, loop)
        if self.units is not None and not project_first:
            x = apply_to_rows(self.projection, x)
        return inputs.mask_outputs(self.activate(x, self.bias))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "self_loops": self.self_loops,
            "improved": self.improved,
        }

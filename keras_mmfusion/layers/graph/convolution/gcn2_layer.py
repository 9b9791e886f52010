import keras

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.graph.convolution.graph_conv_base import GraphConvBase
from keras_mmfusion.layers.graph.core.gcn_normalization import propagate


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GCN2Layer(GraphConvBase):
    """Graph convolution with an initial residual and identity mapping (GCNII).

    ```
    H' = σ(((1 - α) D̃^-½ Ã D̃^-½ H + α H⁰) ((1 - β) I + β W)),  Ã = A + I
    ```

    Deep networks train because each layer adds the initial features `H⁰`, and because `W` matters
    less in later layers: in layer `l` of the paper, `β = log(λ / l + 1)`.

    Args:
        alpha: float in [0, 1]. Weight of the initial features.
        beta: float in [0, 1]. Weight of `W`. With 0 the layer has no kernel and is a step of APPNP.
        activation: σ, a name or function. Defaults to none.
        use_bias: bool. Whether to add a bias, which the formula does not have.
        kernel_initializer: initializer of `W`.
        kernel_regularizer: regularizer of `W`.

    Call arguments:
        graph: dict, see `GraphLayer`; not bipartite.
        initial_features: float tensor of the shape of the graph's `node_features`.

    Output shape:
        Same as the node features.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GCN2Layer
    >>> x = np.random.rand(3, 8).astype("float32")
    >>> graph = {"node_features": x, "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]])}
    >>> for _ in range(3):
    ...     graph["node_features"] = GCN2Layer(alpha=0.1, beta=0.5)(graph, x)
    >>> tuple(graph["node_features"].shape)
    (3, 8)

    Reference:
        Chen et al., "Simple and Deep Graph Convolutional Networks", 2020, equation 5; without
        weights, Klicpera et al., "Predict then Propagate", 2019, equation 4.
    """

    def __init__(self, alpha=0.1, beta=0.5, activation=None, use_bias=False, **kwargs):
        super().__init__(activation, use_bias, **kwargs)
        for name, value in {"alpha": alpha, "beta": beta}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"GCN2Layer: `{name}` must be in [0, 1]. Received: {value!r}")
        self.alpha = alpha
        self.beta = beta

    def build(self, graph_shape, initial_features_shape):
        super().build(graph_shape)
        dim = graph_shape["node_features"][-1]
        if self.bipartite or initial_features_shape[-1] != dim:
            raise ValueError(
                "GCN2Layer: `initial_features` must have the dim of the graph's node features, "
                f"{dim}, and the graph must not be bipartite. Received shape: "
                f"{tuple(initial_features_shape)}"
            )

    def build_layer(self, source_dim, target_dim):
        self.projection = None
        if self.beta:
            self.projection = self.make_kernel(source_dim, source_dim, "projection")
        self.output_dim = source_dim
        self.bias = self.add_bias()

    def call(self, graph, initial_features, graph_mask=None):
        inputs = self.parse(graph, graph_mask)
        x = propagate(inputs, inputs.sources, 1.0)
        x = (1 - self.alpha) * x + self.alpha * cast_input(self, initial_features)
        if self.projection is not None:
            x = (1 - self.beta) * x + self.beta * apply_to_rows(self.projection, x)
        return inputs.mask_outputs(self.activate(x, self.bias))

    def compute_mask(self, graph, mask=None):
        return mask.get("node_features") if isinstance(mask, dict) else None

    def compute_output_shape(self, graph_shape, initial_features_shape):
        return tuple(graph_shape["node_features"])

    def get_config(self):
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
        }

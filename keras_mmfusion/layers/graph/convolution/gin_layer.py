import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.graph.convolution.graph_conv_base import GraphConvBase


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GINLayer(GraphConvBase):
    """Graph isomorphism network: a sum over neighbors and an MLP.

    ```
    h'_i = W_2 σ(W_1 ((1 + ε) h_i + Σ_j w_ij h_j) + b_1) + b_2
    ```

    In a bipartite graph, targets and sources must have the same dim.

    Args:
        units: int. Size of the output.
        hidden_dim: int. Size of the MLP's hidden layer. Defaults to `units`.
        activation: σ, a name or function.
        use_bias: bool. Whether the MLP's layers have biases.
        learn_epsilon: bool. Whether ε is a trainable weight, initialized to 0, or fixed at 0.
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
    >>> from keras_mmfusion.layers.graph import GINLayer
    >>> graph = {
    ...     "node_features": np.random.rand(3, 8).astype("float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> tuple(GINLayer(16)(graph).shape)
    (3, 16)

    Reference:
        Xu et al., "How Powerful are Graph Neural Networks?", 2019, equation 4.1.
    """

    def __init__(
        self,
        units,
        hidden_dim=None,
        activation="relu",
        use_bias=True,
        learn_epsilon=True,
        **kwargs,
    ):
        super().__init__(activation, use_bias, **kwargs)
        self.units = self.output_dim = check_integer(self, "units", units)
        self.hidden_dim = check_integer(
            self, "hidden_dim", units if hidden_dim is None else hidden_dim
        )
        self.learn_epsilon = learn_epsilon

    def build_layer(self, source_dim, target_dim):
        if source_dim != target_dim:
            raise ValueError(
                "GINLayer: targets and sources must have the same dim, since they are added. "
                f"Received: {target_dim} and {source_dim}. Project one of them first."
            )
        self.hidden_dense = self.make_kernel(
            source_dim,
            self.hidden_dim,
            "hidden",
            activation=self.activation,
            use_bias=self.use_bias,
        )
        self.output_dense = self.make_kernel(
            self.hidden_dim, self.units, "output", use_bias=self.use_bias
        )
        self.epsilon = None
        if self.learn_epsilon:
            self.epsilon = self.add_weight(shape=(), initializer="zeros", name="epsilon")

    def call(self, graph, mask=None):
        inputs = self.parse(graph, mask)
        own = inputs.targets
        if self.epsilon is not None:
            own = own + self.epsilon * own
        hidden = apply_to_rows(self.hidden_dense, own + inputs.edges.sum(inputs.sources))
        return inputs.mask_outputs(apply_to_rows(self.output_dense, hidden))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "hidden_dim": self.hidden_dim,
            "learn_epsilon": self.learn_epsilon,
        }

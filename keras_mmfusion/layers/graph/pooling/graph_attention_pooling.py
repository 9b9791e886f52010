import keras
from keras import ops

from keras_mmfusion.layers.graph.core.graph_checks import get_shapes
from keras_mmfusion.layers.graph.pooling.graph_pooling import GraphPooling


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphAttentionPooling(GraphPooling):
    """Averages the nodes of each graph with learned attention weights.

    ```
    α_i = softmax_{i in g}(W_s h_i + b_s)
    y_g = Σ_{i in g} α_i h_i
    ```

    Softmax runs in float32.

    Call arguments:
        graph: dict, see `GraphPooling`.
        return_attention_scores: bool. Whether to also return the weights.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`; with `return_attention_scores`, a tuple of the output
        and float32 weights `(nodes,)`, or `(batch, nodes)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphAttentionPooling
    >>> graph = {"node_features": np.ones((3, 2)), "graph_index": np.array([0, 1, 1])}
    >>> pooled, weights = GraphAttentionPooling()(graph, return_attention_scores=True)
    >>> tuple(pooled.shape), tuple(weights.shape)
    ((2, 2), (3,))

    Reference:
        Li et al., "Gated Graph Sequence Neural Networks", 2016, equation 7, with a softmax instead
        of sigmoid gates.
    """

    def build_layer(self, source_dim, target_dim):
        super().build_layer(source_dim, target_dim)
        self.score_dense = self.make_dense(1, source_dim, "score")

    def call(self, graph, mask=None, return_attention_scores=False):
        inputs = self.parse(graph, mask)
        x, nodes = inputs.x, inputs.nodes
        weights = nodes.softmax(self.score_dense(x))
        pooled = inputs.mask_outputs(nodes.sum(ops.cast(weights, x.dtype) * x))
        if return_attention_scores:
            return pooled, ops.reshape(weights, ops.shape(graph["node_features"])[:-1])
        return pooled

    def compute_output_spec(self, graph, mask=None, return_attention_scores=False):
        shapes = get_shapes(graph)
        output = keras.KerasTensor(self.compute_output_shape(shapes), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor(shapes["node_features"][:-1], dtype="float32")

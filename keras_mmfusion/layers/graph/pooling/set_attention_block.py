import keras
from keras import ops

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SetAttentionBlock(keras.layers.Layer):
    """Attention between the nodes and a few points of each graph (MAB).

    ```
    MAB(X, Y) = LN(H + ReLU(H W + b)),  H = LN(X + Multihead(X, Y, Y))
    ```

    Args:
        units: int. Size of nodes and points.
        num_heads: int. Divides `units`.
    """

    def __init__(self, units, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.num_heads = num_heads
        settings = {"dtype": self.dtype_policy}
        self.query_dense = Dense(units, name="query", **settings)
        self.key_dense = Dense(units, name="key", **settings)
        self.value_dense = Dense(units, name="value", **settings)
        self.output_dense = Dense(units, name="output", **settings)
        self.hidden_dense = Dense(units, activation="relu", name="hidden", **settings)
        self.attention_norm = keras.layers.LayerNormalization(name="attention_norm", **settings)
        self.output_norm = keras.layers.LayerNormalization(name="output_norm", **settings)

    def build(self, shape):
        for layer in flatten_layers(self, include_self=False):
            layer.build((None, self.units))

    def attend_to_nodes(self, points, x, nodes):
        """Computes `MAB(points, X)` for each graph, over the nodes of that graph.

        Args:
            points: float tensor `(points, units)`, shared by all graphs.
            x: float tensor `(nodes, units)`.
            nodes: `EdgeList` from nodes to graphs.

        Returns:
            Float tensor `(graphs, points, units)`.
        """
        count = points.shape[0]
        queries = self._heads(self._scaled_query(points))
        keys, values = self._heads(self.key_dense(x)), self._heads(self.value_dense(x))
        scores = ops.einsum("phd,nhd->nph", queries, keys)
        weights = nodes.softmax(ops.reshape(scores, (-1, count * self.num_heads)))
        # Each (point, head) pair is one attention head over the edges.
        values = ops.tile(values, (1, count, 1))
        attended = nodes.sum(values, ops.cast(weights, x.dtype))
        attended = ops.reshape(attended, (-1, self.units))
        rows = ops.tile(points, (nodes.num_targets, 1))
        return ops.reshape(self._finish(rows, attended), (-1, count, self.units))

    def attend_to_points(self, x, points, nodes):
        """Computes `MAB(X, points)` for each node, over the points of its graph.

        Args:
            x: float tensor `(nodes, units)`.
            points: float tensor `(graphs, points, units)`.
            nodes: `EdgeList` from nodes to graphs.

        Returns:
            Float tensor `(nodes, units)`.
        """
        shape = (-1, points.shape[1], self.num_heads, self.units // self.num_heads)
        rows = ops.reshape(points, (-1, self.units))
        keys = nodes.gather_targets(ops.reshape(self.key_dense(rows), shape))
        values = nodes.gather_targets(ops.reshape(self.value_dense(rows), shape))
        scores = ops.einsum("nhd,nphd->nph", self._heads(self._scaled_query(x)), keys)
        weights = ops.softmax(ops.cast(scores, "float32"), axis=1)
        attended = ops.einsum("nph,nphd->nhd", ops.cast(weights, x.dtype), values)
        return self._finish(x, ops.reshape(attended, (-1, self.units)))

    def _scaled_query(self, x):
        return self.query_dense(x) * (self.units // self.num_heads) ** -0.5

    def _heads(self, x):
        return ops.reshape(x, (-1, self.num_heads, self.units // self.num_heads))

    def _finish(self, x, attended):
        x = self.attention_norm(x + self.output_dense(attended))
        return self.output_norm(x + self.hidden_dense(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "num_heads": self.num_heads}

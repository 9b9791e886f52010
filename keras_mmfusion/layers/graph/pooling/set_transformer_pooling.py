import keras
from keras import ops

from keras_mmfusion._checks import check_divisor, check_integer
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.pooling.graph_pooling import GraphPooling
from keras_mmfusion.layers.graph.pooling.set_attention_block import SetAttentionBlock
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SetTransformerPooling(GraphPooling):
    """Set transformer: learned seeds attend to each graph's nodes and to each other.

    ```
    X = H W + b
    Z = MAB(X, MAB(I, X))                  with `num_inducing` learned points I
    Y = MAB(S, ReLU(Z W' + b'))            with `num_seeds` learned seeds S
    y_g = concat(MAB(Y, Y))
    MAB(X, Y) = LN(H + ReLU(H W + b)),  H = LN(X + Multihead(X, Y, Y))
    ```

    Time and memory are proportional to the number of nodes times the number of points. A graph
    without nodes gets zeros.

    Args:
        units: int. Size of each seed.
        num_seeds: int. Number of vectors per graph, which are concatenated.
        num_inducing: int. Number of inducing points; 0 for `Z = X`.
        num_heads: int. Divides `units`.

    Call arguments: see `GraphPooling`.

    Output shape:
        `(graphs, num_seeds * units)`, or `(batch, num_seeds * units)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import SetTransformerPooling
    >>> graph = {"node_features": np.ones((5, 3)), "graph_index": np.array([0, 1, 1, 0, 1])}
    >>> tuple(SetTransformerPooling(8, num_seeds=2, num_heads=2)(graph).shape)
    (2, 16)

    Reference:
        Lee et al., "Set Transformer", 2019, equations 6 to 11.
    """

    def __init__(self, units, num_seeds=1, num_inducing=16, num_heads=4, **kwargs):
        super().__init__(**kwargs)
        self.units = check_integer(self, "units", units)
        self.num_seeds = check_integer(self, "num_seeds", num_seeds)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        check_divisor(self, "num_heads", num_heads, "units", units)
        self.num_inducing = (
            num_inducing if num_inducing == 0 else check_integer(self, "num_inducing", num_inducing)
        )
        self.output_dim = num_seeds * units

    def build_layer(self, source_dim, target_dim):
        self.input_dense = self.make_dense(self.units, source_dim, "input")
        self.inducing_points = None
        if self.num_inducing:
            self.inducing_points = self._add_points(self.num_inducing, "inducing_points")
            self.inducing_block = self._make_block("inducing_block")
            self.node_block = self._make_block("node_block")
        self.node_dense = self.make_dense(self.units, self.units, "node", activation="relu")
        self.seeds = self._add_points(self.num_seeds, "seeds")
        self.seed_block = self._make_block("seed_block")
        self.output_block = self._make_block("output_block")

    def _add_points(self, count, name):
        return self.add_weight(shape=(count, self.units), initializer="glorot_uniform", name=name)

    def _make_block(self, name):
        block = SetAttentionBlock(self.units, self.num_heads, dtype=self.dtype_policy, name=name)
        block.build((None, self.units))
        return block

    def pool(self, x, nodes):
        x = self.input_dense(x)
        if self.inducing_points is not None:
            points = self.inducing_block.attend_to_nodes(self.inducing_points, x, nodes)
            x = self.node_block.attend_to_points(x, points, nodes)
        seeds = self.seed_block.attend_to_nodes(self.seeds, self.node_dense(x), nodes)
        graphs = nodes.num_targets
        graph_index = ops.repeat(ops.arange(graphs, dtype="int32"), self.num_seeds)
        seed_edges = EdgeList(None, graph_index, None, graphs)
        rows = ops.reshape(seeds, (-1, self.units))
        pooled = self.output_block.attend_to_points(rows, seeds, seed_edges)
        pooled = ops.reshape(pooled, (-1, self.output_dim))
        return zero_masked(pooled, nodes.compute_target_degree() > 0)

    def compute_output_shape(self, graph_shape):
        return super().compute_output_shape(graph_shape)[0], self.output_dim

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_seeds": self.num_seeds,
            "num_inducing": self.num_inducing,
            "num_heads": self.num_heads,
        }

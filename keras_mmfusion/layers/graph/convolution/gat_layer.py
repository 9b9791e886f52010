import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph.convolution.graph_conv_base import GraphConvBase
from keras_mmfusion.layers.graph.core.graph_checks import get_shapes


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GATLayer(GraphConvBase):
    """Graph attention, static (GAT) or dynamic (GATv2).

    For each head, with `a = [a_t ∥ a_s]`:

    ```
    version 1:  e_ij = LeakyReLU(a_tᵀ W h_i + a_sᵀ W h_j)
    version 2:  e_ij = aᵀ LeakyReLU(W_t h_i + W_s h_j)
    α_ij = w_ij exp(e_ij) / Σ_k w_ik exp(e_ik),  over the edges k → i and the self-loop of i
    h'_i = σ(∥_heads Σ_j α_ij W h_j + b)
    ```

    In version 2, the sum uses `W = W_s`. Edge weights `w`, which the papers do not have, multiply
    the attention before normalization; an edge without a positive weight is ignored. Softmax runs
    in float32. On a bipartite graph there are no self-loops, and version 1 has a separate kernel
    for the targets.

    Args:
        head_dim: int. Size of each head.
        num_heads: int.
        version: 1 or 2.
        concatenate: bool. Whether heads are concatenated, or averaged, as in an output layer.
        activation: σ, a name or function. Defaults to none.
        dropout: float. Fraction of attention weights to drop during training.
        use_bias: bool.
        project: bool. Whether `W` is applied. Without it, the input holds the projected features
            of all heads, concatenated.
        self_loops: bool. Whether each node attends to itself.
        negative_slope: float. Slope of the leaky ReLU.
        kernel_initializer: initializer of `W` and `a`.
        kernel_regularizer: regularizer of `W` and `a`.
        seed: int or `None`. Seed of the dropout.

    Call arguments:
        graph: dict, see `GraphLayer`; an edge list or a batch of dense graphs.
        return_attention_scores: bool. Whether to also return the attention weights.
        training: bool. Whether dropout is active.

    Output shape:
        `(nodes, units)` or `(batch, nodes, units)`, where `units` is `num_heads * head_dim`, or
        `head_dim` if heads are averaged. With `return_attention_scores`, a tuple of the output and
        float32 scores: `(edges + nodes, num_heads)`, the edges in order and then each node's
        self-loop (self-loops among the edges have 0); or `(batch, num_heads, nodes, nodes)`, with
        a row for each target.

    Raises:
        ValueError: if the graph dict is invalid, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GATLayer
    >>> graph = {
    ...     "node_features": np.random.rand(3, 8).astype("float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> output, attention = GATLayer(4, num_heads=2)(graph, return_attention_scores=True)
    >>> tuple(output.shape), tuple(attention.shape)
    ((3, 8), (7, 2))

    Reference:
        Veličković et al., "Graph Attention Networks", 2018, equations 3 to 6; Brody et al., "How
        Attentive are Graph Attention Networks?", 2022, equation 7.
    """

    def __init__(
        self,
        head_dim,
        num_heads=1,
        version=1,
        concatenate=True,
        activation=None,
        dropout=0.0,
        use_bias=True,
        project=True,
        self_loops=True,
        negative_slope=0.2,
        seed=None,
        **kwargs,
    ):
        super().__init__(activation, use_bias, **kwargs)
        self.head_dim = check_integer(self, "head_dim", head_dim)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        if version not in (1, 2):
            raise ValueError(f"GATLayer: `version` must be 1 or 2. Received: {version!r}")
        self.version = version
        self.concatenate = concatenate
        self.output_dim = head_dim * num_heads if concatenate else head_dim
        self.dropout = check_fraction(self, "dropout", dropout)
        self.project = project
        self.self_loops = self_loops
        self.negative_slope = negative_slope
        self.seed = seed
        self.dropout_layer = Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build_layer(self, source_dim, target_dim):
        units = self.num_heads * self.head_dim
        self.source_projection = self.target_projection = None
        if self.project:
            self.source_projection = self.make_kernel(source_dim, units, "source_projection")
            self.target_projection = self.source_projection
            if self.bipartite or self.version == 2:
                self.target_projection = self.make_kernel(target_dim, units, "target_projection")
        elif {source_dim, target_dim} != {units}:
            raise ValueError(
                f"GATLayer: with `project=False`, the features must have dim {units}, "
                f"num_heads * head_dim. Received: {sorted({source_dim, target_dim})}"
            )
        self.source_score = self._score("source_score")
        self.target_score = self._score("target_score") if self.version == 1 else None
        self.bias = self.add_bias()

    def _score(self, name):
        return self.add_weight(
            shape=(self.num_heads, self.head_dim),
            initializer=self.kernel_initializer.clone(),
            regularizer=self.kernel_regularizer,
            name=name,
        )

    def call(self, graph, mask=None, return_attention_scores=False, training=None):
        inputs = self.parse(graph, mask)
        loops = self.self_loops and not inputs.bipartite
        edges = inputs.edges.add_loops() if loops else inputs.edges
        sources = targets = self._heads(self.source_projection, inputs.sources)
        if inputs.bipartite or self.target_projection is not self.source_projection:
            targets = self._heads(self.target_projection, inputs.targets)
        attention = edges.softmax(self._scores(edges, sources, targets))
        weights = self.dropout_layer(ops.cast(attention, self.compute_dtype), training=training)
        x = edges.sum(sources, weights)
        if self.concatenate:
            x = ops.reshape(x, (*ops.shape(x)[:-2], self.output_dim))
        else:
            x = ops.mean(x, axis=-2)
        output = inputs.mask_outputs(self.activate(x, self.bias))
        if not return_attention_scores:
            return output
        return output, attention if len(attention.shape) == 2 else ops.moveaxis(attention, 3, 1)

    def _heads(self, projection, x):
        x = x if projection is None else apply_to_rows(projection, x)
        return ops.reshape(x, (*ops.shape(x)[:-1], self.num_heads, self.head_dim))

    def _scores(self, edges, sources, targets):
        if self.version == 1:
            of_source = ops.sum(sources * self.source_score, axis=-1)
            of_target = ops.sum(targets * self.target_score, axis=-1)
            return self._leaky(edges.gather_sources(of_source) + edges.gather_targets(of_target))
        both = self._leaky(edges.gather_sources(sources) + edges.gather_targets(targets))
        return ops.sum(both * self.source_score, axis=-1)

    def _leaky(self, x):
        return ops.leaky_relu(x, self.negative_slope)

    def compute_output_spec(self, graph, mask=None, return_attention_scores=False, training=None):
        shapes = get_shapes(graph)
        shape = self.compute_output_shape(shapes)
        output = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        if len(shape) == 3:
            scores = (shape[0], self.num_heads, *shapes["adjacency"][1:])
        else:
            counts = [shapes["edge_index"][1]]
            if self.self_loops and shapes.get("target_features") is None:
                counts.append(shape[0])
            scores = (None if None in counts else sum(counts), self.num_heads)
        return output, keras.KerasTensor(scores, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_heads": self.num_heads,
            "version": self.version,
            "concatenate": self.concatenate,
            "dropout": self.dropout,
            "project": self.project,
            "self_loops": self.self_loops,
            "negative_slope": self.negative_slope,
            "seed": self.seed,
        }

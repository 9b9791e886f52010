import keras
from keras import ops

from keras_mmfusion.layers.graph.core.gcn_normalization import remove_scales
from keras_mmfusion.layers.graph.core.node_index import cast_index, check_index
from keras_mmfusion.layers.graph.core.segment_ops import gather, segment_sum
from keras_mmfusion.layers.graph.core.tracing import is_concrete
from keras_mmfusion.layers.graph.transforms.graph_transform import GraphTransform
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TopKPooling(GraphTransform):
    """Keeps the highest-scoring nodes of each graph, and gates them by their scores.

    ```
    y = X p / ‖p‖
    keep = top_k(y) in each graph,  k = ⌈ratio · nodes⌉
    X' = X ∘ tanh(y) for the nodes to keep
    ```

    The other nodes are masked (`node_mask` is `False`) instead of removed, so that shapes stay
    static; following layers and poolings ignore them and their edges.

    Args:
        ratio: float in (0, 1], the fraction of each graph's nodes to keep, rounded up; or int, the
            number of nodes to keep.

    Call arguments:
        graph: dict, see `GraphLayer`; not bipartite.

    Output shape:
        The graph with new `node_features` and `node_mask`, without the scales of
        `normalize_graph`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import TopKPooling
    >>> graph = {
    ...     "node_features": np.random.rand(3, 8).astype("float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> sum(bool(kept) for kept in TopKPooling(2)(graph)["node_mask"])
    2

    Reference:
        Gao and Ji, "Graph U-Nets", 2019, equation 2; Cangea et al., "Towards Sparse Hierarchical
        Graph Classifiers", 2018, equation 2.
    """

    def __init__(self, ratio=0.5, **kwargs):
        super().__init__(**kwargs)
        is_count = isinstance(ratio, int) and not isinstance(ratio, bool) and ratio > 0
        if not is_count and not (isinstance(ratio, float) and 0 < ratio <= 1):
            raise ValueError(
                "TopKPooling: `ratio` must be a float in (0, 1] or a positive integer. "
                f"Received: {ratio!r}"
            )
        self.ratio = ratio

    def build_layer(self, source_dim, target_dim):
        self.projection = self.add_weight(
            shape=(source_dim, 1), initializer="glorot_uniform", name="projection"
        )

    def call(self, graph, mask=None):
        inputs = self.parse(graph, mask)
        graph = self.get_entries(graph)
        x = inputs.sources
        direction = ops.cast(self.projection, "float32")
        direction = direction * ops.rsqrt(ops.maximum(ops.sum(direction**2), 1e-12))
        score = ops.squeeze(ops.matmul(ops.cast(x, "float32"), direction), -1)
        real = ops.ones_like(score, "bool")
        if inputs.target_mask is not None:
            real = inputs.target_mask
        # Masked nodes come last.
        order = ops.where(real, -ops.stop_gradient(score), float("inf"))
        if len(x.shape) == 3:
            rank = ops.argsort(ops.argsort(order, axis=1), axis=1)
            number = ops.sum(ops.cast(real, "float32"), axis=1, keepdims=True)
        else:
            rank, number = self._rank_in_graph(graph, order, real)
        keep = ops.logical_and(real, ops.cast(rank, "float32") < self._count_kept(number))
        gated = x * ops.cast(ops.expand_dims(ops.tanh(score), -1), x.dtype)
        updates = {"node_features": zero_masked(gated, keep), "node_mask": keep}
        return {**remove_scales(graph), **updates}

    def _count_kept(self, number):
        if isinstance(self.ratio, int):
            return float(self.ratio)
        return ops.ceil(self.ratio * number)

    def _rank_in_graph(self, graph, order, real):
        """Returns each node's rank in its graph, and that graph's number of unmasked nodes."""
        index = graph.get("graph_index")
        nodes = ops.shape(order)[0]
        if index is None:
            index = ops.zeros_like(order, "int32")
        index = cast_index("TopKPooling", "graph_index", index)
        if is_concrete(index):
            check_index("TopKPooling", "graph_index", index, max(nodes, 1))
        by_score = ops.argsort(order)
        # A stable sort: by graph, then by score.
        by_graph = gather(by_score, ops.argsort(gather(index, by_score)))
        ones = ops.ones_like(order, "float32")
        # The number of graphs is at most the number of nodes.
        size = segment_sum(ones, index, nodes)
        first = ops.cumsum(size) - size
        position = ops.cast(ops.arange(nodes), "float32")
        rank = gather(position, ops.argsort(by_graph)) - gather(first, index)
        number = gather(segment_sum(ops.cast(real, "float32"), index, nodes), index)
        return rank, number

    def get_changes(self, graph):
        return {"node_features": self.compute_dtype, "node_mask": "bool"}

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.graph_inputs import (
    check_dtypes,
    check_shapes,
    in_range,
    shapes_of,
)
from keras_mmfusion.layers.graph.core.graph_layer import GraphLayer
from keras_mmfusion.layers.graph.core.tracing import is_concrete
from keras_mmfusion.layers.masks import zero_masked


class GraphPooling(GraphLayer):
    """What poolings share: one vector for each graph, out of those of its nodes.

    A pooling of your own implements `pool(x, nodes)`, with `nodes` as the edges from nodes to their
    graphs; see `EdgeList`.

    Call arguments:
        graph: dict, see `GraphLayer`; its edges are not looked at, and may be left out.
            `graph_index`, `(nodes,)`, says which graph of several a node is of; without it, all are
            one graph. `graph_mask`, bool `(graphs,)`, has an entry for each graph, `False` for
            padding: how many there are must be known from its length on JAX and under XLA, and
            wherever the last graphs may be without nodes. A graph without nodes gets zeros.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`.
    """

    def build(self, graph_shape):
        super().build(_with_edges(graph_shape))

    def build_layer(self, source_dim, target_dim):
        self.output_dim = source_dim

    def pool(self, x, nodes):
        """The formula, from the nodes of all graphs to `(graphs, output_dim)`.

        Args:
            x: float tensor `(nodes, dim)`, zeros where masked.
            nodes: `EdgeList` from nodes to graphs, with the weight 0 for masked nodes.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `pool`.")

    def call(self, graph, mask=None):
        x, nodes, finish = self.read_nodes(graph, mask)
        return finish(self.pool(x, nodes))

    def read_nodes(self, graph, mask=None):
        """Features, the edges from nodes to graphs, and what turns their sums into outputs."""
        name = type(self).__name__
        check_shapes(name, _with_edges(shapes_of(graph)))
        check_dtypes(name, graph)
        x = cast_input(self, graph["node_features"])
        node_mask = graph.get("node_mask")
        if node_mask is None and mask:
            node_mask = mask.get("node_features")
        node_mask = cast_mask(node_mask)
        graph_mask, fault = graph.get("graph_mask"), None
        if len(x.shape) == 3:  # Dense graphs too are graphs laid side by side.
            size, nodes = ops.shape(x)[:2]
            index = ops.repeat(ops.arange(size, dtype="int32"), nodes)
            x = ops.reshape(x, (-1, x.shape[-1]))
            node_mask = None if node_mask is None else ops.reshape(node_mask, (-1,))
        else:
            index, size, fault = self._graph_of_each(graph, x)
        weight = None if node_mask is None else ops.cast(node_mask, "float32")

        def finish(pooled):
            pooled = zero_masked(pooled, graph_mask)
            return pooled if fault is None else pooled + ops.cast(fault, pooled.dtype)

        return zero_masked(x, node_mask), EdgeList(None, index, None, size, weight), finish

    def _graph_of_each(self, graph, x):
        """For each node its graph, the number of graphs, and NaN if an index was wrong."""
        name = type(self).__name__
        index, graph_mask = graph.get("graph_index"), graph.get("graph_mask")
        if graph_mask is not None:
            size = ops.shape(graph_mask)[0]
        elif index is None:
            size = 1
        elif is_concrete(index):
            size = int(ops.max(index, initial=-1)) + 1
        elif keras.config.backend() == "tensorflow":
            size = ops.max(index, initial=-1) + 1
        else:
            raise ValueError(
                f"{name}: in a compiled function the number of graphs must be known. Give the "
                "graph a 'graph_mask' of shape (graphs,), such as `np.ones(graphs, bool)`."
            )
        if index is None:
            return ops.zeros(ops.shape(x)[:1], "int32"), size, None
        index, fault = in_range(name, "graph_index", index, size)
        return index, size, fault

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, graph_shape):
        features = graph_shape["node_features"]
        if len(features) == 3:
            graphs = features[0]
        elif graph_shape.get("graph_mask") is not None:
            graphs = graph_shape["graph_mask"][0]
        else:
            graphs = 1 if graph_shape.get("graph_index") is None else None
        return graphs, features[-1]


def _with_edges(shapes):
    """The shapes with those of some edges, where a graph is given without."""
    if not isinstance(shapes, dict) or {"edge_index", "adjacency"} & set(shapes):
        return shapes
    features = shapes.get("node_features")
    if features is not None and len(features) == 3:
        return {**shapes, "adjacency": (features[0], features[1], features[1])}
    return {**shapes, "edge_index": (2, None)}

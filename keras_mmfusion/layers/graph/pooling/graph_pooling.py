import dataclasses
import typing

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.graph_checks import check_shapes, get_shapes
from keras_mmfusion.layers.graph.core.graph_inputs import add_nan, get_node_mask
from keras_mmfusion.layers.graph.core.graph_layer import GraphLayer
from keras_mmfusion.layers.graph.core.node_index import cast_index, check_index
from keras_mmfusion.layers.graph.core.tracing import is_concrete
from keras_mmfusion.layers.masks import zero_masked


@dataclasses.dataclass(frozen=True, eq=False)
class PoolingInputs:
    """The parsed inputs of a pooling.

    Attributes:
        x: float tensor `(nodes, dim)`, zeros for masked nodes.
        nodes: `EdgeList` from nodes to their graphs, with weight 0 for masked nodes.
        graph_mask: bool tensor `(graphs,)`, or `None`.
        nan_if_invalid: scalar tensor that is NaN if an index is out of range, or `None`.
    """

    x: typing.Any
    nodes: EdgeList
    graph_mask: typing.Any
    nan_if_invalid: typing.Any

    def mask_outputs(self, outputs):
        """Sets the outputs of masked graphs to zero, and all outputs to NaN for invalid indices."""
        return add_nan(zero_masked(outputs, self.graph_mask), self.nan_if_invalid)


class GraphPooling(GraphLayer):
    """Base class of poolings, which map the nodes of each graph to one vector.

    A subclass implements `pool(x, nodes)`.

    Call arguments:
        graph: dict, see `GraphLayer`. Edges are ignored and optional. `graph_index`, `(nodes,)`,
            is the graph that each node belongs to; without it, all nodes form one graph.
            `graph_mask`, bool `(graphs,)`, is `False` for padding. Its length determines the number
            of graphs, which is required on JAX, under XLA, and if the last graphs may be empty. A
            graph without nodes gets zeros.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`.
    """

    def build(self, graph_shape):
        super().build(_add_edges(graph_shape))

    def build_layer(self, source_dim, target_dim):
        self.output_dim = source_dim

    def pool(self, x, nodes):
        """Maps nodes to `(graphs, output_dim)`.

        Args:
            x: float tensor `(nodes, dim)`, zeros for masked nodes.
            nodes: `EdgeList` from nodes to graphs, with weight 0 for masked nodes.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `pool`.")

    def call(self, graph, mask=None):
        inputs = self.parse(graph, mask)
        return inputs.mask_outputs(self.pool(inputs.x, inputs.nodes))

    def parse(self, graph, mask=None):
        """Validates a graph and returns `PoolingInputs`."""
        check_shapes(type(self).__name__, _add_edges(get_shapes(graph)))
        x = cast_input(self, graph["node_features"])
        node_mask = get_node_mask(graph, mask)
        nan_if_invalid = None
        if len(x.shape) == 3:  # Pool dense graphs as disjoint graphs.
            size, nodes = ops.shape(x)[:2]
            index = ops.repeat(ops.arange(size, dtype="int32"), nodes)
            x = ops.reshape(x, (-1, x.shape[-1]))
            node_mask = None if node_mask is None else ops.reshape(node_mask, (-1,))
        else:
            index, size, nan_if_invalid = self._parse_graph_index(graph, ops.shape(x)[:1])
        weight = None if node_mask is None else ops.cast(node_mask, "float32")
        edges = EdgeList(None, index, None, size, weight)
        return PoolingInputs(
            zero_masked(x, node_mask), edges, graph.get("graph_mask"), nan_if_invalid
        )

    def _parse_graph_index(self, graph, nodes_shape):
        """Returns each node's graph, the number of graphs, and `nan_if_invalid`."""
        name, index = type(self).__name__, graph.get("graph_index")
        if index is not None:
            index = cast_index(name, "graph_index", index)
        size = self._count_graphs(index, graph.get("graph_mask"))
        if index is None:
            return ops.zeros(nodes_shape, "int32"), size, None
        index, nan_if_invalid = check_index(name, "graph_index", index, size)
        return index, size, nan_if_invalid

    def _count_graphs(self, index, graph_mask):
        if graph_mask is not None:
            return ops.shape(graph_mask)[0]
        if index is None:
            return 1
        if is_concrete(index):
            return int(ops.max(index, initial=-1)) + 1
        if keras.config.backend() == "tensorflow":
            return ops.max(index, initial=-1) + 1
        raise ValueError(
            f"{type(self).__name__}: in a compiled function, the number of graphs must be static. "
            "Give the graph a 'graph_mask' of shape (graphs,), such as `np.ones(graphs, bool)`."
        )

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


def _add_edges(shapes):
    """Adds the shape of an edge tensor to the shapes of a graph without edges."""
    if not isinstance(shapes, dict) or {"edge_index", "adjacency"} & set(shapes):
        return shapes
    features = shapes.get("node_features")
    if features is not None and len(features) == 3:
        return {**shapes, "adjacency": (features[0], features[1], features[1])}
    return {**shapes, "edge_index": (2, None)}

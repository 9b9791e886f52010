import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.graph.core.graph_inputs import (
    check_dtypes,
    check_shapes,
    read_graph,
    shapes_of,
)


class GraphLayer(keras.layers.Layer):
    """What the layers of graphs share: how a graph is given, checked and masked.

    A layer of your own implements `build_layer(source_dim, target_dim)`, which makes the weights,
    and `call`, which takes the graph apart by `self.read(graph, mask)`.

    **A graph as a list of edges**, one or several laid side by side, is a dict of

    - `node_features`: float tensor `(nodes, dim)`.
    - `edge_index`: int tensor `(2, edges)`, int32 or int64: an edge's source, and its target, which
      gets the message. An edge that stands there twice counts twice.
    - `edge_weight`: float tensor `(edges,)`, optional. How often the edge counts; 0 is no edge.
    - `edge_mask`: bool tensor `(edges,)`, optional. `False` for padding.
    - `edge_order`: int tensor `(2, edges)`, optional, of `order_edges` or `normalize_graph`: sums
      over edges are quicker with it. A graph with an `edge_mask` does without.
    - `node_mask`: bool tensor `(nodes,)`, optional. A masked node sends nothing, gets zeros, and
      whatever stands in its place, NaN included, changes nothing.
    - `graph_index`: int tensor `(nodes,)`, optional: which graph of several a node is of. Only
      pooling needs it. `graph_mask`: see `GraphPooling`.

    **A batch of dense graphs** is a dict of

    - `node_features`: float tensor `(batch, nodes, dim)`; `node_mask`, `(batch, nodes)`.
    - `adjacency`: tensor `(batch, nodes, nodes)`, whose row `i` has the weights of what node `i`
      gets, as in `A X`; 0 is no edge.

    **A bipartite graph** also has `target_features` (and `target_mask`): messages go to these
    nodes. `edge_index[1]` counts them, an adjacency has a row for each, and so has the output.

    An index out of range is an error where its value can be read. A compiled function cannot
    raise: there the whole output is NaN.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GCNLayer
    >>> graph = {
    ...     "node_features": np.ones((3, 8), "float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> hidden = GCNLayer(16, activation="relu")(graph)
    >>> tuple(GCNLayer(4)({**graph, "node_features": hidden}).shape)
    (3, 4)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, graph_shape):
        check_shapes(type(self).__name__, graph_shape)
        dims = [graph_shape["node_features"][-1]]
        if graph_shape.get("target_features") is not None:
            dims.append(graph_shape["target_features"][-1])
        if None in dims:
            raise ValueError(
                f"{type(self).__name__}: features need a dim that is known. Received: "
                f"{graph_shape['node_features']}"
            )
        self.bipartite = len(dims) == 2
        self.build_layer(dims[0], dims[-1])

    def build_layer(self, source_dim, target_dim):
        """Makes the weights, for features of these sizes."""

    def read(self, graph, mask=None):
        """Checks a graph and takes it apart: a `GraphInputs`."""
        name = type(self).__name__
        check_shapes(name, shapes_of(graph))
        check_dtypes(name, graph)
        return read_graph(name, graph, mask, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        key = "node_features" if inputs.get("target_features") is None else "target_features"
        return mask.get(key) if mask else None

    def compute_output_shape(self, graph_shape):
        targets = graph_shape.get("target_features") or graph_shape["node_features"]
        return (*targets[:-1], self.output_dim)

    def dense(self, units, input_dim, name, **settings):
        """A built `Dense` layer of this layer's dtype."""
        layer = Dense(units, dtype=self.dtype_policy, name=name, **settings)
        layer.build((None, input_dim))
        return layer


def each_node(layer, x):
    """`layer` of every node's features, `(nodes, dim)` or `(batch, nodes, dim)`.

    As one matrix of rows, which TensorFlow multiplies faster than a tensor of more axes.
    """
    if len(x.shape) == 2:
        return layer(x)
    rows = layer(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(rows, (*ops.shape(x)[:-1], rows.shape[-1]))

import keras

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.graph.core.graph_checks import check_shapes
from keras_mmfusion.layers.graph.core.graph_inputs import parse_graph


class GraphLayer(keras.layers.Layer):
    """Base class of graph layers, which defines the format of graphs.

    A subclass sets `output_dim`, the size of its output, in `__init__` or `build_layer`; creates
    weights in `build_layer(source_dim, target_dim)`; and implements `call(graph, mask=None)`, which
    gets validated and masked tensors from `self.parse(graph, mask)`, a `GraphInputs`.

    **An edge list**, of one graph or of several disjoint ones, is a dict of

    - `node_features`: float tensor `(nodes, dim)`.
    - `edge_index`: int32 or int64 tensor `(2, edges)`. The first row holds the sources of messages,
      the second row their targets. Duplicate edges add up.
    - `edge_weight`: float tensor `(edges,)`, optional. Weight 0 means no edge.
    - `edge_mask`: bool tensor `(edges,)`, optional. `False` for padding.
    - `edge_order`: int tensor `(2, edges)`, optional, from `order_edges` or `normalize_graph`. It
      makes sums over edges faster. It is not used with an `edge_mask`.
    - `node_mask`: bool tensor `(nodes,)`, optional. A masked node sends no messages, and its output
      is zero. Its features, even NaN, have no effect.
    - `graph_index`: int tensor `(nodes,)`, optional. The graph that each node belongs to, for
      pooling. `graph_mask`: see `GraphPooling`.

    **A batch of dense graphs** is a dict of

    - `node_features`: float tensor `(batch, nodes, dim)`; `node_mask`: `(batch, nodes)`.
    - `adjacency`: tensor `(batch, nodes, nodes)` of edge weights. Row `i` holds the weights of the
      messages to node `i`, as in `A X`.

    **A bipartite graph** also has `target_features` (and `target_mask`), the nodes that receive
    messages. `edge_index[1]` and the rows of an adjacency refer to them, and so does the output.

    An index out of range raises an error. In a compiled function, which cannot raise, it turns the
    whole output to NaN.

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

    output_dim = None

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
                f"{type(self).__name__}: the last dim of the features must be static. Received: "
                f"{graph_shape['node_features']}"
            )
        self.bipartite = len(dims) == 2
        self.build_layer(dims[0], dims[-1])

    def build_layer(self, source_dim, target_dim):
        """Creates the weights for features of these sizes."""

    def parse(self, graph, mask=None):
        """Validates a graph and returns `GraphInputs`."""
        return parse_graph(type(self).__name__, graph, mask, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        key = "node_features" if inputs.get("target_features") is None else "target_features"
        return mask.get(key) if mask else None

    def compute_output_shape(self, graph_shape):
        if self.output_dim is None:
            raise ValueError(
                f"{type(self).__name__}: set `output_dim`, the size of the output, in `__init__` "
                "or `build_layer`."
            )
        targets = graph_shape.get("target_features") or graph_shape["node_features"]
        return (*targets[:-1], self.output_dim)

    def make_dense(self, units, input_dim, name, **settings):
        """Returns a built `Dense` layer with the dtype of this layer."""
        layer = Dense(units, dtype=self.dtype_policy, name=name, **settings)
        layer.build((None, input_dim))
        return layer

"""The symmetric normalization of graph convolutions, `D̃^-½ (A + λI) D̃^-½`, as scales of nodes."""

from keras import ops

from keras_mmfusion.layers.graph.core.edge_order import order_edges
from keras_mmfusion.layers.graph.core.graph_inputs import (
    check_dtypes,
    check_shapes,
    read_graph,
    shapes_of,
)
from keras_mmfusion.layers.graph.core.sparse_product import uses_order
from keras_mmfusion.layers.graph.core.tracing import is_concrete


def normalize_graph(graph, self_loops=True, improved=False):
    """Computes the normalization of a fixed graph once, for any number of layers and steps.

    `GCNLayer` and `GCN2Layer` use what stands in the graph, and compute it anew where nothing does.

    Args:
        graph: dict, see `GraphLayer`.
        self_loops: bool. `Ã = A + I` or `A`. A bipartite graph has no loops.
        improved: bool. `Ã = A + 2I`.

    Returns:
        A new dict: the graph with `source_scale` `(nodes,)` (and `target_scale` if it is
        bipartite), the diagonal of `D̃^-½`, in float32; and, outside of compiled functions, with
        the `edge_order` of a list of edges without a mask, on the backends that use it.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GCNLayer, normalize_graph
    >>> graph = normalize_graph({
    ...     "node_features": np.ones((3, 8), "float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... })
    >>> [round(float(scale), 3) for scale in graph["source_scale"]]
    [0.707, 0.577, 0.707]
    >>> tuple(GCNLayer(4)(graph).shape)
    (3, 4)
    """
    graph = {
        key: ops.convert_to_tensor(value)
        for key, value in without_scales(graph).items()
        if value is not None and key != "edge_order"
    }
    check_shapes("normalize_graph", shapes_of(graph))
    check_dtypes("normalize_graph", graph)
    read = read_graph("normalize_graph", graph)
    source_scale, target_scale = node_scales(read, loop_weight(self_loops, improved))
    scaled = {**graph, "source_scale": source_scale}
    index = graph.get("edge_index")
    if index is not None and "edge_mask" not in graph and uses_order() and is_concrete(index):
        scaled["edge_order"] = order_edges(index)
    return {**scaled, "target_scale": target_scale} if read.bipartite else scaled


def without_scales(graph):
    """The graph without its normalization, which no longer holds when its edges change."""
    return {
        key: value for key, value in graph.items() if key not in ("source_scale", "target_scale")
    }


def loop_weight(self_loops, improved):
    """λ of `A + λI`."""
    return (2.0 if improved else 1.0) if self_loops else 0.0


def node_scales(read, loop):
    """`D̃^-½` of sources and targets: two tensors, the same one if the graph is not bipartite."""
    if read.bipartite:
        return tuple(map(_inverse_root, (read.edges.source_degree(), read.edges.target_degree())))
    scale = _inverse_root(read.edges.target_degree() + loop)
    return scale, scale


def _inverse_root(degree):
    positive = degree > 0
    return ops.where(positive, ops.rsqrt(ops.where(positive, degree, 1.0)), 0.0)


def propagate(graph, read, x, loop):
    """`D̃^-½ (A + λI) D̃^-½ x`.

    Nodes are scaled, before and after, rather than edges: the same product, without a pass over
    all edges where they have no weights.

    Args:
        graph: dict, which may have the scales.
        read: its `GraphInputs`.
        x: tensor. Values of the sources.
        loop: float, λ.
    """
    if graph.get("source_scale") is not None:
        source_scale = graph["source_scale"]
        target_scale = graph["target_scale"] if read.bipartite else source_scale
    else:
        source_scale, target_scale = node_scales(read, loop)
    x = x * ops.expand_dims(ops.cast(source_scale, x.dtype), -1)
    total = read.edges.sum(x)
    if loop and not read.bipartite:
        total = total + loop * x
    return total * ops.expand_dims(ops.cast(target_scale, x.dtype), -1)

"""Symmetric normalization of graph convolutions, `D̃^-½ (A + λI) D̃^-½`, by scaling nodes."""

from keras import ops

from keras_mmfusion.layers.graph.core.edge_order import order_edges
from keras_mmfusion.layers.graph.core.graph_inputs import parse_graph
from keras_mmfusion.layers.graph.core.sparse_product import uses_order
from keras_mmfusion.layers.graph.core.tracing import is_concrete


def normalize_graph(graph, self_loops=True, improved=False):
    """Computes the normalization of a fixed graph once, for reuse by layers and steps.

    `GCNLayer` and `GCN2Layer` use the scales of a graph that has them, and compute them otherwise.

    Args:
        graph: dict, see `GraphLayer`.
        self_loops: bool. Whether `Ã = A + I` or `A`. A bipartite graph has no self-loops.
        improved: bool. `True` for `Ã = A + 2I`.

    Returns:
        A new dict: the graph with a float32 `source_scale` `(nodes,)`, the diagonal of `D̃^-½`, and
        with a `target_scale` if it is bipartite. On backends that use it, the dict also has the
        `edge_order` of an edge list without a mask, except in compiled functions.

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
        for key, value in remove_scales(graph).items()
        if value is not None and key != "edge_order"
    }
    inputs = parse_graph("normalize_graph", graph)
    source_scale, target_scale = _compute_scales(inputs, get_loop_weight(self_loops, improved))
    graph["source_scale"] = source_scale
    if inputs.bipartite:
        graph["target_scale"] = target_scale
    index = graph.get("edge_index")
    if index is not None and "edge_mask" not in graph and uses_order() and is_concrete(index):
        graph["edge_order"] = order_edges(index)
    return graph


def remove_scales(graph):
    """Returns the graph without its normalization, which no longer holds if its edges change."""
    return {
        key: value for key, value in graph.items() if key not in ("source_scale", "target_scale")
    }


def get_loop_weight(self_loops, improved):
    """Returns λ of `A + λI`."""
    return (2.0 if improved else 1.0) if self_loops else 0.0


def propagate(inputs, x, loop):
    """Computes `D̃^-½ (A + λI) D̃^-½ x`.

    Nodes are scaled before and after the sum, instead of edges: the product is the same, and an
    edge list without weights needs no pass over the edges.

    Args:
        inputs: `GraphInputs`. Its scales are used if it has them.
        x: tensor. Values of the sources.
        loop: float, λ.
    """
    source_scale, target_scale = inputs.source_scale, inputs.target_scale
    if source_scale is None:
        source_scale, target_scale = _compute_scales(inputs, loop)
    x = x * ops.expand_dims(ops.cast(source_scale, x.dtype), -1)
    total = inputs.edges.sum(x)
    if loop and not inputs.bipartite:
        total = total + loop * x
    return total * ops.expand_dims(ops.cast(target_scale, x.dtype), -1)


def _compute_scales(inputs, loop):
    """Returns `D̃^-½` of sources and targets, which are equal if the graph is not bipartite."""
    target_degree = inputs.edges.compute_target_degree()
    if inputs.bipartite:
        source_degree = inputs.edges.compute_source_degree()
        return _compute_inverse_root(source_degree), _compute_inverse_root(target_degree)
    scale = _compute_inverse_root(target_degree + loop)
    return scale, scale


def _compute_inverse_root(degree):
    positive = degree > 0
    return ops.where(positive, ops.rsqrt(ops.where(positive, degree, 1.0)), 0.0)

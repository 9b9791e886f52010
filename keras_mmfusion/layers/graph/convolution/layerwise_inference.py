"""A graph layer over all nodes of a large graph, in bounded memory."""

import numpy as np
from keras import ops

from keras_mmfusion.graphs.incoming_edges import IncomingEdges, places_of
from keras_mmfusion.layers.graph.convolution.gcn_layer import GCNLayer
from keras_mmfusion.layers.graph.core.gcn_normalization import normalize_graph


def apply_layerwise(layer, graph, edges_per_part=500_000):
    """Computes a graph layer for some nodes after the others, with all of their neighbors.

    To predict for a whole graph after training on samples of it: layer by layer, each from the
    outputs for all nodes of the one before. What is held at a time besides inputs and outputs is
    the part of the graph that goes into `edges_per_part` edges and their nodes; a node with more
    edges than that is a part of its own.

    Args:
        layer: `GraphLayer` that takes a graph alone, such as `SAGELayer`, `GATLayer`, `GINLayer`
            or `GCNLayer`.
        graph: dict of arrays, see `GraphLayer`: a list of edges, not bipartite.
        edges_per_part: int.

    Returns:
        Array `(nodes, units)`, equal to what `layer(graph)` gives.

    Raises:
        ValueError: if the graph is dense or bipartite, or an index is out of range.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion.layers.graph import GCNLayer, apply_layerwise
    >>> ring = np.arange(1000)
    >>> graph = {
    ...     "node_features": np.random.rand(1000, 8).astype("float32"),
    ...     "edge_index": np.stack([ring, (ring + 1) % 1000]),
    ... }
    >>> layer = GCNLayer(4)
    >>> outputs = apply_layerwise(layer, graph, edges_per_part=100)
    >>> bool(np.allclose(outputs, keras.ops.convert_to_numpy(layer(graph)), atol=1e-6))
    True
    """
    graph = {key: value for key, value in graph.items() if value is not None}
    graph.pop("edge_order", None)  # Parts have edges of their own.
    unknown = sorted(set(graph) - {*_NODE_KEYS, "edge_index", "edge_weight", "edge_mask"})
    if unknown:
        raise ValueError(
            "`graph` must be a list of edges among one set of nodes, with "
            f"{', '.join(_NODE_KEYS)}, edge_index, edge_weight, edge_mask. Received: {unknown}"
        )
    if isinstance(layer, GCNLayer) and "source_scale" not in graph:
        # A part has not all edges of the nodes that messages come from.
        scaled = normalize_graph(graph, layer.self_loops, layer.improved)
        graph["source_scale"] = ops.convert_to_numpy(scaled["source_scale"])
    graph = {key: np.asarray(value) for key, value in graph.items()}
    edges = IncomingEdges.of_graph(graph)
    outputs = [_part(layer, graph, edges, *part) for part in edges.parts(edges_per_part)]
    return np.concatenate(outputs) if outputs else ops.convert_to_numpy(layer(graph))


_NODE_KEYS = ("node_features", "node_mask", "source_scale")


def _part(layer, graph, edges, first, end):
    """The outputs of the nodes from `first` to before `end`."""
    into = np.arange(edges.starts[first], edges.starts[end])
    targets = np.arange(first, end)
    ends = edges.ends(into)
    nodes = np.concatenate([targets, np.setdiff1d(ends[0], targets)])
    part = {key: graph[key][nodes] for key in _NODE_KEYS if key in graph}
    part["edge_index"] = places_of(ends, nodes).astype("int32")
    part["edge_weight"] = edges.weight[into]
    return ops.convert_to_numpy(layer(part))[: end - first]

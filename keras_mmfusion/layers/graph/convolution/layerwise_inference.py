"""Inference of a graph layer on all nodes of a large graph, in bounded memory."""

import numpy as np
from keras import ops

from keras_mmfusion.graphs.sorted_edges import SortedEdges, find_positions
from keras_mmfusion.layers.graph.convolution.gcn_layer import GCNLayer
from keras_mmfusion.layers.graph.core.gcn_normalization import normalize_graph


def apply_layerwise(layer, graph, edges_per_part=500_000):
    """Applies a graph layer to all nodes, one group of nodes at a time, with all their neighbors.

    Use it to predict for a whole graph after training on samples of it: apply it to each layer in
    turn, on the previous layer's outputs. Besides inputs and outputs, memory holds one part of the
    graph of at most `edges_per_part` edges; a node with more incoming edges is a part of its own.

    Args:
        layer: `GraphLayer` whose only input is a graph, such as `SAGELayer`, `GATLayer`,
            `GINLayer` or `GCNLayer`.
        graph: dict of arrays, see `GraphLayer`: an edge list, not bipartite.
        edges_per_part: int.

    Returns:
        Array `(nodes, units)`, equal to `layer(graph)`.

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
    graph.pop("edge_order", None)  # It does not apply to the edges of a part.
    unknown = sorted(set(graph) - {*_NODE_KEYS, "edge_index", "edge_weight", "edge_mask"})
    if unknown:
        raise ValueError(
            "`graph` must be an edge list over one node set, with the keys "
            f"{', '.join(_NODE_KEYS)}, edge_index, edge_weight, edge_mask. Received: {unknown}"
        )
    if isinstance(layer, GCNLayer) and "source_scale" not in graph:
        # A part does not have all edges of its source nodes, so degrees must be computed before.
        scaled = normalize_graph(graph, layer.self_loops, layer.improved)
        graph["source_scale"] = ops.convert_to_numpy(scaled["source_scale"])
    graph = {key: np.asarray(value) for key, value in graph.items()}
    edges = SortedEdges.from_graph(graph)
    outputs = [_compute_part(layer, graph, edges, *part) for part in edges.split(edges_per_part)]
    return np.concatenate(outputs) if outputs else ops.convert_to_numpy(layer(graph))


_NODE_KEYS = ("node_features", "node_mask", "source_scale")


def _compute_part(layer, graph, edges, first, end):
    """Returns the outputs of the nodes in `[first, end)`."""
    incoming = np.arange(edges.starts[first], edges.starts[end])
    targets = np.arange(first, end)
    edge_index = edges.edge_index[:, incoming]
    nodes = np.concatenate([targets, np.setdiff1d(edge_index[0], targets)])
    part = {key: graph[key][nodes] for key in _NODE_KEYS if key in graph}
    part["edge_index"] = find_positions(edge_index, nodes).astype("int32")
    part["edge_weight"] = edges.weight[incoming]
    return ops.convert_to_numpy(layer(part))[: end - first]

"""Checks of the keys, shapes and dtypes of a graph dict."""

from keras_mmfusion.layers.graph.core.node_index import cast_index

# Key -> number of axes in an edge list, and in a batch of dense graphs.
_RANKS = {
    "node_features": (2, 3),
    "target_features": (2, 3),
    "node_mask": (1, 2),
    "target_mask": (1, 2),
    "edge_index": (2, None),
    "edge_weight": (1, None),
    "edge_mask": (1, None),
    "graph_index": (1, None),
    "graph_mask": (1, None),
    "adjacency": (None, 3),
    "source_scale": (1, 2),
    "target_scale": (1, 2),
    "edge_order": (2, None),
}
KEYS = tuple(_RANKS)


def get_shapes(graph):
    """Returns the shapes of a graph's entries as a dict; for other inputs, their shape."""
    if not isinstance(graph, dict):
        return getattr(graph, "shape", None)
    return {key: None if value is None else value.shape for key, value in graph.items()}


def check_graph(name, graph):
    """Checks the keys and shapes of a graph, and that its indices are integers.

    Args:
        name: string. The layer's name for error messages.
        graph: dict of tensors.

    Raises:
        ValueError: if a key is unknown or missing, or a shape or dtype is invalid.
    """
    check_shapes(name, get_shapes(graph))
    for key in ("edge_index", "edge_order", "graph_index"):
        if graph.get(key) is not None:
            cast_index(name, key, graph[key])


def check_shapes(name, shapes):
    """Checks the keys and shapes of a graph.

    Args:
        name: string. The layer's name for error messages.
        shapes: dict, key -> shape.

    Raises:
        ValueError: if a key is unknown or missing, or a shape is invalid.
    """
    if not isinstance(shapes, dict):
        raise ValueError(
            f"{name}: the graph must be a dict such as "
            '{"node_features": x, "edge_index": index}. Received a tensor of shape '
            f"{shapes}"
        )
    shapes = {key: shape for key, shape in shapes.items() if shape is not None}
    _check_keys(name, shapes)
    dense = "adjacency" in shapes
    for key, shape in shapes.items():
        rank = _RANKS[key][dense]
        is_pair = key in ("edge_index", "edge_order")
        if len(shape) != rank or (is_pair and shape[0] not in (None, 2)):
            layout = "(batch, nodes, dim) and (batch, nodes, nodes)" if dense else "(2, edges)"
            raise ValueError(
                f"{name}: {key!r} must have {rank} axes in a graph with {layout}. "
                f"Received shape: {tuple(shape)}"
            )
    if dense:
        _check_adjacency(name, shapes)
    _check_lengths(name, shapes)


def _check_keys(name, shapes):
    unknown = sorted(set(shapes) - set(KEYS))
    if unknown:
        raise ValueError(
            f"{name}: unknown key {unknown[0]!r} in the graph. Known keys: {', '.join(KEYS)}"
        )
    dense = "adjacency" in shapes
    if "node_features" not in shapes or dense == ("edge_index" in shapes):
        raise ValueError(
            f"{name}: a graph must have 'node_features' and either 'edge_index' or 'adjacency'; "
            "without edges, an 'edge_index' of shape (2, 0). Received: "
            f"{', '.join(sorted(shapes))}"
        )
    if "target_features" in shapes and ("source_scale" in shapes) != ("target_scale" in shapes):
        raise ValueError(
            f"{name}: a bipartite graph must have both 'source_scale' and 'target_scale', or none."
        )
    edge_list_keys = [key for key in shapes if dense and _RANKS[key][1] is None]
    if edge_list_keys:
        raise ValueError(
            f"{name}: {edge_list_keys[0]!r} belongs to an 'edge_index'. In an 'adjacency', entries "
            "are edge weights, 0 for no edge, and each item of the batch is one graph."
        )


def _check_adjacency(name, shapes):
    targets = shapes.get("target_features", shapes["node_features"])[-2]
    rows = shapes["adjacency"][1]
    if None not in (rows, targets) and rows != targets:
        raise ValueError(
            f"{name}: 'adjacency' must have a row for each of the {targets} target nodes. "
            f"Received shape: {tuple(shapes['adjacency'])}"
        )


def _check_lengths(name, shapes):
    """Checks that tensors which belong together have the same length, where it is static."""
    nodes = shapes["node_features"][-2]
    targets = shapes.get("target_features", shapes["node_features"])[-2]
    expected = {
        "node_mask": nodes,
        "source_scale": nodes,
        "graph_index": nodes,
        "adjacency": nodes,
        "target_mask": targets,
        "target_scale": targets,
    }
    if "edge_index" in shapes:
        edges = shapes["edge_index"][1]
        expected |= dict.fromkeys(("edge_weight", "edge_mask", "edge_order"), edges)
    for key, size in expected.items():
        if key in shapes and None not in (size, shapes[key][-1]) and shapes[key][-1] != size:
            raise ValueError(
                f"{name}: {key!r} must have length {size}. Received shape: {tuple(shapes[key])}"
            )

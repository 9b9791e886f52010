"""A graph's dict to its edges and features, checked: the door of every graph layer."""

import keras
from keras import ops

from keras_mmfusion.graphs.table_nodes import NAMES_HINT
from keras_mmfusion.layers.cast_input import cast_mask, cast_numbers
from keras_mmfusion.layers.graph.core.dense_edges import DenseEdges
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.segment_ops import gather
from keras_mmfusion.layers.graph.core.sparse_product import uses_order
from keras_mmfusion.layers.graph.core.tracing import is_concrete
from keras_mmfusion.layers.masks import zero_masked

NODE_KEYS = ("node_features", "target_features", "node_mask", "target_mask")
LIST_KEYS = ("edge_index", "edge_weight", "edge_mask", "graph_index", "graph_mask")
ADDED_KEYS = ("source_scale", "target_scale", "edge_order")  # By `normalize_graph`.
KEYS = (*NODE_KEYS, *LIST_KEYS, "adjacency", *ADDED_KEYS)


class GraphInputs:
    """What a layer computes with.

    Attributes:
        edges: `EdgeList` or `DenseEdges`.
        sources: features of the nodes that messages come from, zeros where they are masked.
        targets: features of the nodes that messages go to: the same tensor in a graph that is
            not bipartite.
        bipartite: bool.
        target_mask: bool tensor, or `None`.
        fault: `None`, or a scalar that is NaN if an index is out of range.
    """

    def __init__(self, edges, sources, targets, bipartite, target_mask, fault):
        self.edges = edges
        self.sources = sources
        self.targets = targets
        self.bipartite = bipartite
        self.target_mask = target_mask
        self.fault = fault

    def finish(self, output):
        """The output with zeros for masked nodes, and NaN all over if an index was wrong."""
        output = zero_masked(output, self.target_mask)
        return output if self.fault is None else output + ops.cast(self.fault, output.dtype)


def read_graph(name, graph, mask=None, dtype="float32"):
    """Checks a graph and takes it apart.

    Args:
        name: string. The layer's name for error messages.
        graph: dict of tensors.
        mask: dict of Keras's implicit masks, or `None`.
        dtype: string. What features, and the weights of an adjacency, are cast to.

    Returns:
        A `GraphInputs`.
    """
    x = cast_numbers(name, graph["node_features"], dtype)
    node_mask = graph.get("node_mask")
    if node_mask is None and mask:
        node_mask = mask.get("node_features")
    node_mask = cast_mask(node_mask)
    sources = targets = zero_masked(x, node_mask)
    target_mask = node_mask
    bipartite = graph.get("target_features") is not None
    if bipartite:
        target_mask = cast_mask(graph.get("target_mask"))
        targets = zero_masked(cast_numbers(name, graph["target_features"], dtype), target_mask)
    if graph.get("adjacency") is not None:
        edges, fault = _dense_edges(graph["adjacency"], sources, node_mask, target_mask), None
    else:
        edges, fault = _edge_list(name, graph, sources, targets, node_mask, target_mask)
    return GraphInputs(edges, sources, targets, bipartite, target_mask, fault)


def _dense_edges(adjacency, x, source_mask, target_mask):
    weight = ops.cast(adjacency, x.dtype)
    for mask, axis in ((source_mask, 1), (target_mask, 2)):
        if mask is not None:
            mask = ops.expand_dims(mask, axis)
            weight = ops.where(mask, weight, ops.zeros_like(weight))
    return DenseEdges(weight)


def _edge_list(name, graph, sources, targets, source_mask, target_mask):
    edge_index, weight = graph["edge_index"], _edge_weight(name, graph)
    num_sources, num_targets = ops.shape(sources)[0], ops.shape(targets)[0]
    source, target = edge_index[0], edge_index[1]
    keep = cast_mask(graph.get("edge_mask"))
    if keep is not None:
        # Whatever stands in a masked place, it is an index of something.
        source, target = (ops.where(keep, index, 0) for index in (source, target))
    source, wrong_source = in_range(name, "edge_index[0]", source, num_sources)
    target, wrong_target = in_range(name, "edge_index[1]", target, num_targets)
    order = wrong_order = None
    if keep is None and uses_order() and graph.get("edge_order") is not None:
        order, wrong_order = _in_order(name, graph["edge_order"], source, target)
    for mask, index in ((source_mask, source), (target_mask, target)):
        if mask is not None:
            ends = ops.take(mask, index, axis=0)
            keep = ends if keep is None else ops.logical_and(keep, ends)
    if keep is not None:
        weight = ops.ones_like(target, "float32") if weight is None else weight
        weight = ops.where(keep, weight, ops.zeros_like(weight))
    edges = EdgeList(source, target, num_sources, num_targets, weight, order)
    faults = (wrong_source, wrong_target, wrong_order)
    faults = [fault for fault in faults if fault is not None]
    return edges, sum(faults) if faults else None


def _edge_weight(name, graph):
    weight = graph.get("edge_weight")
    if weight is None or keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(weight.dtype)
    ):
        return weight
    return cast_numbers(name, weight, "float32")


def in_range(name, what, index, size):
    """Checks that each index is one of `size` things.

    Returns:
        The index and `None` where its values can be read now: they are right, or it is an error.
        In a compiled function, which cannot raise, the index with zeros in place of wrong ones,
        and a scalar that is NaN if there were any, else 0.

    Raises:
        ValueError: if an index is out of range, or not of integers.
    """
    index = as_index(name, what, index)
    if is_concrete(index):
        if 0 in index.shape:
            return index, None
        lowest, highest = int(ops.min(index)), int(ops.max(index))
        if lowest < 0 or highest >= size:
            wrong = lowest if lowest < 0 else highest
            raise ValueError(
                f"{name}: `{what}` must be in [0, {int(size)}), for {int(size)} of them. "
                f"Received: {wrong}"
            )
        return index, None
    right = ops.logical_and(index >= 0, index < ops.cast(size, index.dtype))
    fault = ops.where(ops.all(right), 0.0, float("nan"))
    return ops.where(right, index, ops.zeros_like(index)), fault


def _in_order(name, order, source, target):
    """Checks that an `edge_order` is of these edges.

    Returns and raises: as `in_range`, the order in place of the index.
    """
    order, wrong = in_range(name, "edge_order", order, ops.shape(source)[0])
    right = True
    for places, ends in ((order[0], source), (order[1], target)):
        ends = gather(ends, places)
        equal = ops.logical_and(ends[1:] == ends[:-1], places[1:] > places[:-1])
        # Each edge comes after the one before, so that none comes twice.
        right = ops.logical_and(right, ops.all(ops.logical_or(ends[1:] > ends[:-1], equal)))
    if not is_concrete(right):
        fault = ops.where(right, 0.0, float("nan"))
        return order, fault if wrong is None else fault + wrong
    if not right:
        raise ValueError(
            f"{name}: 'edge_order' must sort the edges by source and by target, as `order_edges` "
            "and `normalize_graph` do. It does not sort these: make it anew where edges change."
        )
    return order, None


def shapes_of(graph):
    """The shapes of a graph's entries: a dict; of what is no dict, its own shape."""
    if not isinstance(graph, dict):
        return getattr(graph, "shape", None)
    return {key: None if value is None else value.shape for key, value in graph.items()}


def check_shapes(name, shapes):
    """Checks the keys of a graph, and what their shapes say.

    Args:
        name: string. The layer's name for error messages.
        shapes: dict, key -> shape.

    Raises:
        ValueError: if a key is unknown or missing, or a shape does not fit its key.
    """
    if not isinstance(shapes, dict):
        raise ValueError(
            f"{name}: the graph must be a dict such as "
            '{"node_features": x, "edge_index": index}. Received a tensor of shape '
            f"{shapes}"
        )
    shapes = {key: shape for key, shape in shapes.items() if shape is not None}
    unknown = sorted(set(shapes) - set(KEYS))
    if unknown:
        raise ValueError(
            f"{name}: the graph has {unknown[0]!r}, which is none of {', '.join(KEYS)}."
        )
    dense = "adjacency" in shapes
    if "node_features" not in shapes or dense == ("edge_index" in shapes):
        raise ValueError(
            f"{name}: a graph has 'node_features' and either 'edge_index' or 'adjacency'; without "
            f"edges, an 'edge_index' of shape (2, 0). Received: {', '.join(sorted(shapes))}"
        )
    wrong = [key for key in (*LIST_KEYS, "edge_order") if dense and key in shapes]
    if wrong:
        raise ValueError(
            f"{name}: {wrong[0]!r} belongs to an 'edge_index'. With an 'adjacency', its numbers "
            "are the weights, 0 for no edge, and each item of the batch is one graph."
        )
    for key, shape in shapes.items():
        rank = _RANKS[key][dense]
        pair = key in ("edge_index", "edge_order")
        if len(shape) != rank or (pair and shape[0] not in (None, 2)):
            form = "(batch, nodes, dim) and (batch, nodes, nodes)" if dense else "(2, edges)"
            raise ValueError(
                f"{name}: {key!r} must have {rank} axes in a graph with {form}. "
                f"Received shape: {tuple(shape)}"
            )
    _check_sizes(name, shapes, dense)


_RANKS = {
    "node_features": (2, 3),
    "target_features": (2, 3),
    "node_mask": (1, 2),
    "target_mask": (1, 2),
    "source_scale": (1, 2),
    "target_scale": (1, 2),
    "edge_index": (2, 2),
    "edge_order": (2, 2),
    "edge_weight": (1, 1),
    "edge_mask": (1, 1),
    "graph_index": (1, 1),
    "graph_mask": (1, 1),
    "adjacency": (3, 3),
}


def _check_sizes(name, shapes, dense):
    """That tensors which belong together are of one length, as far as shapes are known."""
    nodes = shapes["node_features"][-2]
    targets = shapes.get("target_features", shapes["node_features"])[-2]
    expected = {"node_mask": nodes, "source_scale": nodes, "graph_index": nodes}
    expected.update({"target_mask": targets, "target_scale": targets})
    if dense:
        expected["adjacency"] = nodes
        rows = shapes["adjacency"][1]
        if None not in (rows, targets) and rows != targets:
            raise ValueError(
                f"{name}: 'adjacency' must have a row for each of the {targets} nodes that "
                f"messages go to. Received shape: {tuple(shapes['adjacency'])}"
            )
    else:
        expected.update(
            dict.fromkeys(("edge_weight", "edge_mask", "edge_order"), shapes["edge_index"][1])
        )
    for key, size in expected.items():
        if key in shapes and None not in (size, shapes[key][-1]) and shapes[key][-1] != size:
            raise ValueError(
                f"{name}: {key!r} must have the length {size}, as what it belongs to. "
                f"Received shape: {tuple(shapes[key])}"
            )


def check_dtypes(name, graph):
    """Checks that the indices of a graph are integers.

    Raises:
        ValueError: if they are not.
    """
    for key in ("edge_index", "edge_order", "graph_index"):
        if graph.get(key) is not None:
            as_index(name, key, graph[key])


def as_index(name, what, index):
    """An index in a dtype that every backend gathers by; a `ValueError` if it has no integers."""
    is_array_of_names = getattr(index.dtype, "kind", "") in ("O", "S", "U")
    dtype = "string" if is_array_of_names else keras.backend.standardize_dtype(index.dtype)
    if "int" not in dtype:
        remedy = NAMES_HINT
        if "float" in dtype or "bool" in dtype:
            remedy = f'Cast it, as in `{what}.astype("int32")`.'
        raise ValueError(f"{name}: {what!r} must be of integers. Received: {dtype}. {remedy}")
    return index if dtype in ("int32", "int64") else ops.cast(index, "int32")

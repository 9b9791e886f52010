"""Validates a graph dict and converts it to edges and node features."""

import dataclasses
import typing

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_mask, cast_numbers
from keras_mmfusion.layers.graph.core.dense_edges import DenseEdges
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.graph_checks import check_graph
from keras_mmfusion.layers.graph.core.node_index import check_index
from keras_mmfusion.layers.graph.core.segment_ops import gather
from keras_mmfusion.layers.graph.core.sparse_product import uses_order
from keras_mmfusion.layers.graph.core.tracing import is_concrete
from keras_mmfusion.layers.masks import zero_masked


@dataclasses.dataclass(frozen=True, eq=False)
class GraphInputs:
    """The parsed inputs of a graph layer.

    Attributes:
        edges: `EdgeList` or `DenseEdges`.
        sources: features of the nodes that send messages, zeros for masked nodes.
        targets: features of the nodes that receive messages; the same tensor as `sources` unless
            the graph is bipartite.
        bipartite: bool.
        target_mask: bool tensor, or `None`.
        source_scale, target_scale: float32 tensors from `normalize_graph`, or `None`.
        nan_if_invalid: scalar tensor that is NaN if an index is out of range, or `None`.
    """

    edges: EdgeList | DenseEdges
    sources: typing.Any
    targets: typing.Any
    bipartite: bool
    target_mask: typing.Any = None
    source_scale: typing.Any = None
    target_scale: typing.Any = None
    nan_if_invalid: typing.Any = None

    def mask_outputs(self, outputs):
        """Sets the outputs of masked nodes to zero, and all outputs to NaN for invalid indices."""
        return add_nan(zero_masked(outputs, self.target_mask), self.nan_if_invalid)


def add_nan(outputs, nan_if_invalid):
    """Sets all outputs to NaN if `nan_if_invalid` is NaN; it may be `None`."""
    if nan_if_invalid is None:
        return outputs
    return outputs + ops.cast(nan_if_invalid, outputs.dtype)


def parse_graph(name, graph, mask=None, dtype="float32"):
    """Validates a graph dict and converts it to `GraphInputs`.

    Args:
        name: string. The layer's name for error messages.
        graph: dict of tensors, see `GraphLayer`.
        mask: dict of Keras's implicit masks, or `None`.
        dtype: string. The dtype of features and of adjacency weights.

    Returns:
        `GraphInputs`.

    Raises:
        ValueError: if a key, a shape, a dtype or an index is invalid.
    """
    check_graph(name, graph)
    source_mask = get_node_mask(graph, mask)
    sources = zero_masked(cast_numbers(name, graph["node_features"], dtype), source_mask)
    targets, target_mask = sources, source_mask
    source_scale = target_scale = graph.get("source_scale")
    bipartite = graph.get("target_features") is not None
    if bipartite:
        target_mask = cast_mask(graph.get("target_mask"))
        targets = zero_masked(cast_numbers(name, graph["target_features"], dtype), target_mask)
        target_scale = graph.get("target_scale")
    nan_if_invalid = None
    if graph.get("adjacency") is not None:
        adjacency = ops.cast(graph["adjacency"], dtype)
        edges = DenseEdges(_mask_adjacency(adjacency, source_mask, target_mask))
    else:
        edges, nan_if_invalid = _parse_edges(
            name, graph, ops.shape(sources)[0], ops.shape(targets)[0], source_mask, target_mask
        )
    return GraphInputs(
        edges,
        sources,
        targets,
        bipartite,
        target_mask,
        source_scale,
        target_scale,
        nan_if_invalid,
    )


def get_node_mask(graph, mask=None):
    """Returns the graph's `node_mask` as bool, or else Keras's implicit mask, or `None`."""
    node_mask = graph.get("node_mask")
    if node_mask is None and mask:
        node_mask = mask.get("node_features")
    return cast_mask(node_mask)


def _mask_adjacency(weight, source_mask, target_mask):
    for mask, axis in ((source_mask, 1), (target_mask, 2)):
        if mask is not None:
            mask = ops.expand_dims(mask, axis)
            weight = ops.where(mask, weight, ops.zeros_like(weight))
    return weight


def _parse_edges(name, graph, num_sources, num_targets, source_mask, target_mask):
    """Returns an `EdgeList` and `nan_if_invalid`."""
    source, target = graph["edge_index"][0], graph["edge_index"][1]
    edge_mask = cast_mask(graph.get("edge_mask"))
    if edge_mask is not None:
        # Masked edges may hold invalid indices; point them at node 0.
        source, target = (ops.where(edge_mask, index, 0) for index in (source, target))
    source, invalid_source = check_index(name, "edge_index[0]", source, num_sources)
    target, invalid_target = check_index(name, "edge_index[1]", target, num_targets)
    order = invalid_order = None
    if edge_mask is None and uses_order() and graph.get("edge_order") is not None:
        order, invalid_order = _check_order(name, graph["edge_order"], source, target)
    for node_mask, index in ((source_mask, source), (target_mask, target)):
        if node_mask is not None:
            end_mask = ops.take(node_mask, index, axis=0)
            edge_mask = end_mask if edge_mask is None else ops.logical_and(edge_mask, end_mask)
    weight = _get_edge_weight(name, graph)
    if edge_mask is not None:
        weight = ops.ones_like(target, "float32") if weight is None else weight
        weight = ops.where(edge_mask, weight, ops.zeros_like(weight))
    invalid = [x for x in (invalid_source, invalid_target, invalid_order) if x is not None]
    edges = EdgeList(source, target, num_sources, num_targets, weight, order)
    return edges, sum(invalid) if invalid else None


def _get_edge_weight(name, graph):
    weight = graph.get("edge_weight")
    if weight is None or keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(weight.dtype)
    ):
        return weight
    return cast_numbers(name, weight, "float32")


def _check_order(name, order, source, target):
    """Checks that an `edge_order` sorts these edges; returns and raises as `check_index`."""
    order, nan_if_invalid = check_index(name, "edge_order", order, ops.shape(source)[0])
    valid = True
    for positions, ends in ((order[0], source), (order[1], target)):
        ends = gather(ends, positions)
        # Strictly increasing by (end, position), so that no edge occurs twice.
        tied = ops.logical_and(ends[1:] == ends[:-1], positions[1:] > positions[:-1])
        valid = ops.logical_and(valid, ops.all(ops.logical_or(ends[1:] > ends[:-1], tied)))
    if not is_concrete(valid):
        nan = ops.where(valid, 0.0, float("nan"))
        return order, nan if nan_if_invalid is None else nan + nan_if_invalid
    if not valid:
        raise ValueError(
            f"{name}: 'edge_order' must sort the edges by source and by target, as `order_edges` "
            "and `normalize_graph` do. Compute it again after changing the edges."
        )
    return order, None

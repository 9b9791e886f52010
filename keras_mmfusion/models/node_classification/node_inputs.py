"""Conversion of a labeled graph to the inputs of a node classifier."""

import numpy as np

from keras_mmfusion.layers.graph import order_edges


def make_node_inputs(data):
    """Computes the inputs of a `NodeClassifier` for a fixed graph.

    Each row of features is normalized to a sum of 1. Features are given by their nonzero entries,
    since bags of words are sparse.

    Args:
        data: `LabeledGraph`.

    Returns:
        A dict of arrays: `feature_index` `(2, entries)`, `feature_values` `(entries,)`,
        `edge_index` `(2, edges)` and the `source_scale` `(nodes,)` from `normalize_graph`.
    """
    rows, columns = np.nonzero(data.node_features)
    entries = np.stack([rows, columns]), data.node_features[rows, columns]
    return make_sparse_inputs(*entries, data.edge_index, len(data.node_features))


def make_sparse_inputs(feature_index, feature_values, edge_index, num_nodes):
    """Computes the inputs of a `NodeClassifier` from the nonzero entries of the features.

    Args:
        feature_index: int array `(2, entries)`, nodes and features.
        feature_values: float array `(entries,)`.
        edge_index: int array `(2, edges)`, both directions of each edge.
        num_nodes: int.

    Returns:
        A dict of arrays, see `make_node_inputs`.
    """
    totals = np.bincount(feature_index[0], np.abs(feature_values), num_nodes)
    scale = 1 / np.where(totals == 0, 1, totals)
    return {
        "feature_index": feature_index.astype("int32"),
        "feature_values": (feature_values * scale[feature_index[0]]).astype("float32"),
        "edge_index": edge_index,
        "source_scale": compute_source_scale(edge_index, num_nodes),
    }


def compute_source_scale(edge_index, num_nodes, edge_weight=None):
    """Computes the scales of `normalize_graph`, `1 / √(degree + 1)`.

    Args:
        edge_index: int array `(2, edges)`.
        num_nodes: int.
        edge_weight: float array `(edges,)`, or `None` for ones.

    Returns:
        float32 array `(nodes,)`.
    """
    degrees = np.bincount(edge_index[1], edge_weight, num_nodes)
    return (1 / np.sqrt(degrees + 1)).astype("float32")


def add_orders(inputs):
    """Adds the orders of edges and feature entries, which make many training steps faster.

    Args:
        inputs: dict, from `make_node_inputs`.

    Returns:
        A new dict that also has `feature_order` and `edge_order`, see `order_edges`.
    """
    orders = {name: order_edges(inputs[f"{name}_index"]) for name in ("feature", "edge")}
    return {**inputs, **{f"{name}_order": order for name, order in orders.items()}}

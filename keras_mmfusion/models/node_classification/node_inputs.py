"""Conversion of a labeled graph to the inputs of a node classifier."""

import keras
import numpy as np

from keras_mmfusion.layers.graph import normalize_graph, order_edges


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
    totals = np.abs(data.node_features).sum(axis=1, keepdims=True)
    features = data.node_features / np.where(totals == 0, 1, totals)
    rows, columns = np.nonzero(features)
    scale = normalize_graph(data.graph)["source_scale"]
    return {
        "feature_index": np.stack([rows, columns]).astype("int32"),
        "feature_values": features[rows, columns].astype("float32"),
        "edge_index": data.edge_index,
        "source_scale": keras.ops.convert_to_numpy(scale),
    }


def add_orders(inputs):
    """Adds the orders of edges and feature entries, which make many training steps faster.

    Args:
        inputs: dict, from `make_node_inputs`.

    Returns:
        A new dict that also has `feature_order` and `edge_order`, see `order_edges`.
    """
    orders = {name: order_edges(inputs[f"{name}_index"]) for name in ("feature", "edge")}
    return {**inputs, **{f"{name}_order": order for name, order in orders.items()}}

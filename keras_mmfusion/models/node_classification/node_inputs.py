"""A labeled graph to what a node classifier takes."""

import keras
import numpy as np

from keras_mmfusion.layers.graph import normalize_graph, order_edges


def node_classifier_inputs(data):
    """The inputs of a `NodeClassifier`, computed once for a fixed graph.

    Features are normalized so that each row adds up to 1, and given by their entries, since those
    of documents are nearly all zeros.

    Args:
        data: `LabeledGraph`.

    Returns:
        A dict of arrays: `feature_index` `(2, entries)`, `feature_values` `(entries,)`,
        `edge_index` `(2, edges)` and `source_scale` `(nodes,)`, of `normalize_graph`.
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


def with_orders(inputs):
    """The inputs of a `NodeClassifier` with the orders of their edges and entries, for many steps.

    Args:
        inputs: dict, of `node_classifier_inputs`.

    Returns:
        A new dict, with `feature_order` and `edge_order`, see `order_edges`.
    """
    orders = {name: order_edges(inputs[f"{name}_index"]) for name in ("feature", "edge")}
    return {**inputs, **{f"{name}_order": order for name, order in orders.items()}}

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
        `edge_index` `(2, edges)` and `source_scale` `(nodes,)`, of `normalize_graph`; and, for
        speed, `feature_order` and `edge_order`, `order_edges` of both indices.
    """
    totals = np.abs(data.node_features).sum(axis=1, keepdims=True)
    features = data.node_features / np.where(totals == 0, 1, totals)
    rows, columns = np.nonzero(features)
    graph = normalize_graph(data.graph)
    feature_index = np.stack([rows, columns]).astype("int32")
    to_numpy = keras.ops.convert_to_numpy
    return {
        "feature_index": feature_index,
        "feature_values": features[rows, columns].astype("float32"),
        "edge_index": data.edge_index,
        "source_scale": to_numpy(graph["source_scale"]),
        "feature_order": to_numpy(order_edges(feature_index)),
        "edge_order": to_numpy(graph["edge_order"]),
    }

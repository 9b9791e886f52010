"""Recommends links, such as friends of a person."""

import keras
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.link_prediction.link_evaluation import check_graph, score_pairs
from keras_mmfusion.models.link_prediction.link_inputs import make_link_inputs


def recommend_links(model, graph, node_ids, k=10):
    """Finds the nodes that are most likely linked to a node but are not yet.

    Args:
        model: `LinkPredictor`.
        graph: `AttributedGraph`. Messages use all of its edges.
        node_ids: list of strings. The nodes that get recommendations.
        k: int. Number of recommendations.

    Returns:
        A list for each of `node_ids`: tuples of the id of a node and its probability, best first.
        The probability refers to the training, with as many negatives as links.

    Raises:
        ValueError: if an id is unknown, or the model was trained on another graph.
    """
    check_integer("recommend_links", "k", k)
    check_graph(model, graph)
    nodes = graph.find_nodes(node_ids)
    embeddings = model.encoder(make_link_inputs(graph), training=False)
    sources, targets = graph.edge_index
    everyone = np.arange(graph.num_nodes)
    recommendations = []
    for node in nodes:
        pairs = np.stack([np.full(graph.num_nodes, node), everyone])
        logits = score_pairs(model, embeddings, pairs)
        logits[targets[sources == node]] = -np.inf
        logits[node] = -np.inf
        best = np.argsort(-logits, kind="stable")[:k]
        best = best[logits[best] > -np.inf]
        probabilities = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits[best]))
        ids = graph.node_ids[best].tolist()
        recommendations.append(list(zip(ids, probabilities.tolist(), strict=True)))
    return recommendations

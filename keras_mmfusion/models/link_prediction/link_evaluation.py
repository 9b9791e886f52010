"""Scores of link predictors on held-out links."""

import keras
import numpy as np

from keras_mmfusion.graphs.attributed_graph import number_pairs
from keras_mmfusion.metrics.links import link_scores
from keras_mmfusion.models.link_prediction.link_inputs import make_link_inputs
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

PAIRS_AT_ONCE = 100_000
TABLE = {
    "auc": "AUC",
    "average_precision": "AP",
    "mrr": "MRR",
    "hits_at_10": "Hits@10",
    "hard_auc": "AUC, hard",
    "hard_average_precision": "AP, hard",
    "hard_mrr": "MRR, hard",
    "hard_hits_at_10": "Hits@10, hard",
}


def evaluate_link_predictor(model, graph, edges, links):
    """Scores a link predictor on held-out links of a graph.

    Args:
        model: `LinkPredictor`.
        graph: `AttributedGraph`.
        edges: int array `(2, edges)`, each edge once: the edges that are known, such as the
            `train_edges` of a `LinkSplit`.
        links: `HeldOutLinks`, such as the `test` links of the split.

    Returns:
        `EvaluationResult` with the metrics of `link_scores` among random negatives, and with the
        prefix `hard_` among hard ones; `samples` has the ids and the logit of each link.

    Raises:
        ValueError: if a held-out link is among the known edges, or the model has been built for
            other attributes or another number of nodes.
    """
    check_graph(model, graph)
    _check_leaks(graph, edges, links.links)
    embeddings = _embed(model, make_link_inputs(graph, edges))
    metrics, positives = _score(model, embeddings, links)
    random_count, hard_count = links.random_targets.shape[1], links.hard_targets.shape[1]
    protocol = {
        "known_edges": edges.shape[1],
        "links": links.links.shape[1],
        "random_negatives_per_link": random_count,
        "hard_negatives_per_link": hard_count,
    }
    samples = [
        {"source": source, "target": target, "logit": float(logit)}
        for source, target, logit in zip(
            *graph.node_ids[links.links].tolist(), positives, strict=True
        )
    ]
    summary = (
        f"{links.links.shape[1]:,} held-out links, each among {random_count} random nodes, and "
        f"among {hard_count} neighbors of neighbors (hard); {edges.shape[1]:,} known edges"
    )
    table = {"metrics": TABLE, "settings": {}, "summary": summary}
    return EvaluationResult(metrics, protocol, samples, table)


def score_links(model, inputs, links):
    """Computes the metrics of held-out links.

    Args:
        model: `LinkPredictor`.
        inputs: dict, from `make_link_inputs`.
        links: `HeldOutLinks`.

    Returns:
        A dict of floats, see `evaluate_link_predictor`.
    """
    return _score(model, _embed(model, inputs), links)[0]


def score_pairs(model, embeddings, pairs):
    """Computes the logits of many pairs, some at a time.

    Args:
        model: `LinkPredictor`.
        embeddings: float tensor `(nodes, dim)`.
        pairs: int array `(2, pairs)`.

    Returns:
        float array `(pairs,)`.
    """
    parts = [
        keras.ops.convert_to_numpy(
            model.decode(embeddings, pairs[:, start : start + PAIRS_AT_ONCE].astype("int32"))
        )
        for start in range(0, pairs.shape[1], PAIRS_AT_ONCE)
    ]
    return np.concatenate(parts)


def _embed(model, inputs):
    return keras.ops.stop_gradient(model.encoder(inputs, training=False))


def _score(model, embeddings, links):
    """Returns the metrics and the logits of the links."""
    positives = score_pairs(model, embeddings, links.links)
    metrics = {}
    for prefix, targets in (("", links.random_targets), ("hard_", links.hard_targets)):
        sources = np.repeat(links.links[0], targets.shape[1])
        pairs = np.stack([sources, targets.ravel()])
        negatives = score_pairs(model, embeddings, pairs).reshape(targets.shape)
        scores = link_scores(positives, negatives)
        metrics |= {f"{prefix}{name}": score for name, score in scores.items()}
    return metrics, positives


def check_graph(model, graph):
    """Raises an error if a model does not fit a graph.

    Args:
        model: `LinkPredictor`.
        graph: `AttributedGraph`.

    Raises:
        ValueError: if the numbers of attributes or of nodes differ.
    """
    expected = {"num_attributes": model.encoder.num_features}
    if hasattr(model.encoder, "num_nodes"):
        expected["num_nodes"] = model.encoder.num_nodes
    for name, size in expected.items():
        if getattr(graph, name) != size:
            raise ValueError(
                f"`graph` must be the graph that the model was trained on, with {name}={size}. "
                f"Received: {graph!r}"
            )


def _check_leaks(graph, edges, links):
    known = np.isin(number_pairs(links, graph.num_nodes), number_pairs(edges, graph.num_nodes))
    if known.any():
        source, target = graph.node_ids[links[:, np.flatnonzero(known)[0]]].tolist()
        raise ValueError(
            f"`links` must not be among the known `edges`, but {known.sum()} are, first {source!r} "
            f"to {target!r}."
        )

"""Methods of link prediction for social.py, next to heuristics of the neighborhood."""

import dataclasses
import functools

import numpy as np
import scipy.sparse

from keras_mmfusion.datasets import split_links
from keras_mmfusion.metrics import link_scores
from keras_mmfusion.models.link_prediction import (
    evaluate_link_predictor,
    get_link_recipe,
    train_link_predictor,
)

RECIPES = ("gcn", "fusion")


def list_runs(graph, epochs=None):
    """Returns a dict, name of a method -> function of a seed that returns the scores."""
    runs = {
        "common_neighbors": functools.partial(score_heuristic, graph, lambda degrees: 1.0),
        "adamic_adar": functools.partial(
            score_heuristic, graph, lambda degrees: 1 / np.log(np.maximum(degrees, 2))
        ),
        "attribute_similarity": functools.partial(score_attributes, graph),
    }
    return runs | {name: functools.partial(train, graph, name, epochs) for name in RECIPES}


def train(graph, name, epochs, seed):
    split = split_links(graph, seed=seed)
    recipe = dataclasses.replace(get_link_recipe(name), seed=seed)
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    model = train_link_predictor(recipe, graph, split)
    return evaluate_link_predictor(model, graph, split.train_edges, split.test).metrics


def score_heuristic(graph, weigh, seed):
    """Sums a weight of each common neighbor along training edges."""
    split = split_links(graph, seed=seed)
    source, target = np.concatenate([split.train_edges, split.train_edges[::-1]], axis=1)
    ones = np.ones(len(source))
    adjacency = scipy.sparse.csr_array((ones, (source, target)), (graph.num_nodes,) * 2)
    weights = scipy.sparse.diags_array(np.ones(graph.num_nodes) * weigh(adjacency.sum(axis=1)))
    return score_matrix((adjacency @ weights @ adjacency).toarray(), split)


def score_attributes(graph, seed):
    """The cosine similarity of the attributes of two nodes."""
    entries = graph.attribute_values, graph.attribute_index
    x = scipy.sparse.csr_array(entries, (graph.num_nodes, graph.num_attributes))
    lengths = np.sqrt(x.multiply(x).sum(axis=1))
    x = scipy.sparse.diags_array(1 / np.maximum(lengths, 1e-9)) @ x
    return score_matrix((x @ x.T).toarray(), split_links(graph, seed=seed))


def score_matrix(matrix, split):
    source, target = split.test.links
    positives = matrix[source, target]
    scores = {}
    for prefix, targets in (
        ("", split.test.random_targets),
        ("hard_", split.test.hard_targets),
    ):
        each = link_scores(positives, matrix[source[:, None], targets])
        scores |= {f"{prefix}{name}": score for name, score in each.items()}
    return scores

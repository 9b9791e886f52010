"""Accuracy of a node classifier over many runs, with all that is needed to repeat them."""

import dataclasses
import itertools
import time

import numpy as np

from keras_mmfusion.models.node_classification.node_recipe import RECIPES
from keras_mmfusion.models.node_classification.node_training import train_node_classifier
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_node_classifier(name, data, runs, time_limit=None, progress=iter, earlier=()):
    """Trains a node classifier by its paper's recipe, from the seeds 0, 1, 2, ...

    Args:
        name: string. One of `"gcn"`, `"gat"`, `"appnp"` and `"gcn2"`.
        data: `LabeledGraph`.
        runs: int. Number of trainings.
        time_limit: float or `None`. Begin no other run after so many seconds.
        progress: function of an iterator of the runs, which may show where it stands.
        earlier: list of dicts, the `samples` of an interrupted evaluation. Their seeds are not
            trained again.

    Returns:
        `EvaluationResult` with the mean and the standard deviation of the test accuracy, and the
        mean validation accuracy, of runs that differ only by the seed; `samples` has the scores of
        each run.

    Raises:
        ValueError: if there is no recipe of the name, or no run is left to do.
    """
    if name not in RECIPES:
        raise ValueError(f"`name` must be one of {', '.join(RECIPES)}. Received: {name!r}")
    if len(earlier) >= runs:
        raise ValueError(
            f"`runs` must be more than those of `earlier`. Received: {runs} and {len(earlier)}"
        )
    recipe = RECIPES[name]
    end = float("inf") if time_limit is None else time.monotonic() + time_limit
    first = len(earlier)
    seeds = itertools.takewhile(
        lambda seed: seed == first or time.monotonic() < end, range(first, runs)
    )
    scores = list(earlier)
    for model, score in progress(train_node_classifier(recipe, data, seeds)):
        settings = {key: value for key, value in model.get_config().items() if key not in _KERAS}
        scores.append(score)
    accuracy = [score["test_accuracy"] for score in scores]
    metrics = {
        "test_accuracy": float(np.mean(accuracy)),
        "test_accuracy_std": float(np.std(accuracy)),
        "validation_accuracy": float(np.mean([run["validation_accuracy"] for run in scores])),
    }
    protocol = {
        "model": name,
        "settings": settings,
        "recipe": {
            key: value for key, value in dataclasses.asdict(recipe).items() if key != "model"
        },
        "features": "rows normalized to a sum of 1",
        "train_nodes": len(data.train_nodes),
        "validation_nodes": len(data.validation_nodes),
        "test_nodes": len(data.test_nodes),
        "seeds": [score["seed"] for score in scores],
    }
    return EvaluationResult(metrics, protocol, samples=scores)


# What every Keras model's config has.
_KERAS = ("name", "trainable", "dtype")

"""Accuracy of node classifiers and of their training recipes."""

import dataclasses
import itertools
import time

import keras
import numpy as np

from keras_mmfusion.models.node_classification.node_inputs import make_node_inputs
from keras_mmfusion.models.node_classification.node_training import (
    compute_loss_and_accuracy,
    train_for_seeds,
)
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_node_classifier(model, data):
    """Scores a node classifier on the validation and the test nodes of a graph.

    Args:
        model: `NodeClassifier`.
        data: `LabeledGraph`.

    Returns:
        `EvaluationResult` with the `test_accuracy` and the `validation_accuracy`; `samples` has the
        label and the prediction of each test node.
    """
    logits = keras.ops.convert_to_numpy(model(make_node_inputs(data), training=False))
    splits = {"test": data.test_nodes, "validation": data.validation_nodes}
    metrics = {
        f"{split}_accuracy": compute_loss_and_accuracy(logits[nodes], data.labels[nodes])[1]
        for split, nodes in splits.items()
    }
    samples = [
        {
            "node": int(node),
            "label": int(data.labels[node]),
            "prediction": int(logits[node].argmax()),
        }
        for node in data.test_nodes
    ]
    return EvaluationResult(metrics, _describe_data(data), samples)


def score_node_recipe(recipe, data, runs=10, time_limit=None, progress=iter, earlier=()):
    """Trains a node classifier with the seeds 0, 1, 2, ... and averages its accuracy.

    Args:
        recipe: `NodeRecipe`. Its seed is not used.
        data: `LabeledGraph`.
        runs: int. Number of trainings.
        time_limit: float or `None`. Do not start another run after this many seconds.
        progress: function that wraps the iterator of runs, such as a progress bar.
        earlier: list of dicts, the `samples` of an interrupted evaluation. Their seeds are not
            trained again.

    Returns:
        `EvaluationResult` with the mean and the standard deviation of the test accuracy, and the
        mean validation accuracy; `samples` has the scores of each run.

    Raises:
        ValueError: if `earlier` already has `runs` runs.
    """
    if len(earlier) >= runs:
        raise ValueError(
            f"`runs` must be larger than the number of `earlier` runs. Received: {runs} and "
            f"{len(earlier)}"
        )
    end = float("inf") if time_limit is None else time.monotonic() + time_limit
    first = len(earlier)
    seeds = itertools.takewhile(
        lambda seed: seed == first or time.monotonic() < end, range(first, runs)
    )
    scores = list(earlier)
    for model, run in progress(train_for_seeds(recipe, data, seeds)):
        settings = {key: value for key, value in model.get_config().items() if key not in _KERAS}
        scores.append(run)
    accuracy = [run["test_accuracy"] for run in scores]
    metrics = {
        "test_accuracy": float(np.mean(accuracy)),
        "test_accuracy_std": float(np.std(accuracy)),
        "validation_accuracy": float(np.mean([run["validation_accuracy"] for run in scores])),
    }
    training = dataclasses.asdict(recipe)
    del training["model"], training["seed"]
    protocol = {
        "model": recipe.model.__name__,
        "settings": settings,
        "recipe": training,
        **_describe_data(data),
        "seeds": [run["seed"] for run in scores],
    }
    return EvaluationResult(metrics, protocol, samples=scores)


def _describe_data(data):
    return {
        "features": "rows normalized to a sum of 1",
        "train_nodes": len(data.train_nodes),
        "validation_nodes": len(data.validation_nodes),
        "test_nodes": len(data.test_nodes),
    }


# Keys of the config that every Keras model has.
_KERAS = ("name", "trainable", "dtype")

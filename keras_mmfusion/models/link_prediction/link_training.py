"""Training of link predictors on the training edges of a graph."""

import keras
import numpy as np

from keras_mmfusion._progress import track
from keras_mmfusion.graphs.link_split import NegativeSampler
from keras_mmfusion.models.link_prediction.link_evaluation import score_links
from keras_mmfusion.models.link_prediction.link_inputs import make_link_inputs
from keras_mmfusion.models.link_prediction.link_predictor import LinkPredictor
from keras_mmfusion.models.node_classification import add_orders
from keras_mmfusion.models.node_classification.node_inputs import compute_source_scale


def train_link_predictor(recipe, graph, split):
    """Trains a link predictor.

    A step predicts some of the training edges from the messages along all others, since an edge to
    predict is not among the messages afterwards either. Each edge has a negative that shares a
    node with it; half of the negatives are random, half are neighbors of neighbors. The sampling
    of negatives uses training edges only. The best epoch has the highest MRR on the validation
    links, averaged over random and hard negatives.

    Args:
        recipe: `LinkRecipe`.
        graph: `AttributedGraph`.
        split: `LinkSplit` of the graph. Its test links are not used.

    Returns:
        The trained `LinkPredictor`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import AttributedGraph, split_links
    >>> from keras_mmfusion.models.link_prediction import (
    ...     LinkRecipe, evaluate_link_predictor, train_link_predictor
    ... )
    >>> from keras_mmfusion.models.node_classification import GCNClassifier
    >>> ring = np.arange(40)
    >>> graph = AttributedGraph(
    ...     ring.astype(str), np.stack([ring, (ring + 1) % 40]), np.stack([ring, ring]),
    ...     np.ones(40), num_attributes=40)
    >>> split = split_links(graph, negatives=2)
    >>> recipe = LinkRecipe(
    ...     lambda graph, dim: GCNClassifier(graph.num_attributes, dim), dim=4, epochs=1)
    >>> model = train_link_predictor(recipe, graph, split)
    >>> result = evaluate_link_predictor(model, graph, split.train_edges, split.test)
    >>> sorted(result.metrics)[:3]
    ['auc', 'average_precision', 'hard_auc']
    """
    keras.utils.set_random_seed(recipe.seed)
    model = LinkPredictor(recipe.make_encoder(graph, recipe.dim), recipe.decoder_dim)
    inputs = add_orders(make_link_inputs(graph, split.train_edges))
    model.compile(
        keras.optimizers.Adam(recipe.learning_rate),
        keras.losses.BinaryCrossentropy(from_logits=True),
        # Eager JAX is slow; on TensorFlow, XLA's segment sums are slow on a CPU.
        jit_compile=keras.config.backend() == "jax",
    )
    batches = _Batches(recipe, graph, split.train_edges, inputs)
    best, highest, waited = None, -1.0, 0
    for epoch in track(range(recipe.epochs), "training"):
        for pairs, labels in batches.draw(epoch):
            model.train_on_batch(pairs, labels)
        scores = score_links(model, inputs, split.validation)
        mrr = (scores["mrr"] + scores["hard_mrr"]) / 2
        waited = 0 if mrr > highest else waited + 1
        if mrr > highest:
            highest = mrr
            best = [keras.ops.copy(weight.value) for weight in model.trainable_variables]
        if waited == recipe.patience:
            break
    for weight, value in zip(model.trainable_variables, best, strict=True):
        weight.assign(value)
    return model


class _Batches:
    """Draws the inputs of each step."""

    def __init__(self, recipe, graph, edges, inputs):
        self.edges = edges
        self.inputs = inputs
        self.num_nodes = graph.num_nodes
        self.seed = recipe.seed
        self.steps = min(recipe.steps_per_epoch, edges.shape[1])
        self.sampler = NegativeSampler(edges, edges, graph.num_nodes, graph.node_ids)

    def draw(self, epoch):
        """Yields the inputs and the labels of each step of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        count = self.edges.shape[1]
        size = count // self.steps  # All steps have the same shapes.
        order = rng.permutation(count)
        for step in range(self.steps):
            rows = order[step * size : (step + 1) * size]
            kept = np.ones(count, "float32")
            kept[rows] = 0
            weight = np.concatenate([kept, kept])
            scale = compute_source_scale(self.inputs["edge_index"], self.num_nodes, weight)
            positives = self.edges[:, rows]
            positives = np.where(rng.random(size) < 0.5, positives[::-1], positives)
            sources = positives[0]
            targets = np.concatenate(
                [
                    self.sampler.sample_random(sources[: size // 2], rng),
                    self.sampler.sample_hard(sources[size // 2 :], rng),
                ]
            )
            pairs = np.concatenate([positives, np.stack([sources, targets])], axis=1)
            batch = {"edge_weight": weight, "source_scale": scale, "pairs": pairs.astype("int32")}
            yield {**self.inputs, **batch}, np.repeat([1.0, 0.0], size).astype("float32")

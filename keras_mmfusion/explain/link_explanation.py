"""Explains why two nodes are predicted to be linked."""

import dataclasses

import keras
from keras import ops

from keras_mmfusion.explain.methods.gnn_explainer import explain_nodes


def explain_link(model, inputs, pair, steps=200, learning_rate=0.05):
    """Explains the prediction for a pair of nodes by a small set of edges and attributes.

    The link is explained as a decision between two classes, 1 for linked and 0 for not linked, by
    the method of `explain_nodes` (GNNExplainer).

    Args:
        model: `LinkPredictor`.
        inputs: dict, from `make_link_inputs`.
        pair: two ints, the nodes.
        steps: int. Number of Adam steps.
        learning_rate: float.

    Returns:
        `NodeExplanation` whose `node` is the first node of the pair, and whose `predicted_class` is
        1 if the logit of the pair is positive.

    Raises:
        ValueError: if a node is out of range; see also `explain_nodes`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import AttributedGraph
    >>> from keras_mmfusion.explain import explain_link
    >>> from keras_mmfusion.models.link_prediction import LinkPredictor, make_link_inputs
    >>> from keras_mmfusion.models.node_classification import GCNClassifier
    >>> ring = np.arange(6)
    >>> graph = AttributedGraph(
    ...     ring.astype(str), np.stack([ring, (ring + 1) % 6]), np.stack([ring, ring]), np.ones(6),
    ...     num_attributes=6)
    >>> model = LinkPredictor(GCNClassifier(6, num_classes=4))
    >>> explanation = explain_link(model, make_link_inputs(graph), (0, 2), steps=3)
    >>> explanation.edge_scores.shape, explanation.feature_scores.shape
    ((12,), (6,))

    Reference:
        Ying et al., "GNNExplainer: Generating Explanations for Graph Neural Networks", 2019,
        section 4.4 (link prediction).
    """
    nodes = len(inputs["source_scale"])
    if len(pair) != 2 or not all(0 <= node < nodes for node in pair):
        raise ValueError(f"`pair` must be two nodes in [0, {nodes}). Received: {pair!r}")
    pair = [int(node) for node in pair]
    [explanation] = explain_nodes(_LinkClasses(model, pair), inputs, [0], steps, learning_rate)
    return dataclasses.replace(explanation, node=pair[0])


class _LinkClasses(keras.Model):
    """Returns the logits of a pair for the classes 0 and 1, `(1, 2)`."""

    def __init__(self, predictor, pair):
        super().__init__(name="link_classes")
        self.predictor = predictor
        self.pair = pair

    def call(self, inputs, training=None):
        pairs = ops.convert_to_tensor([[self.pair[0]], [self.pair[1]]], "int32")
        logit = self.predictor({**inputs, "pairs": pairs}, training=training)
        return ops.stack([ops.zeros_like(logit), logit], axis=-1)

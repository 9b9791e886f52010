"""GNNExplainer: the edges and features that explain the predictions for nodes."""

import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.explain.internals.masked_graph import ONE, MaskedGraph
from keras_mmfusion.explain.internals.node_attention import compute_node_attention
from keras_mmfusion.explain.internals.watched_gradients import compile_gradients
from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.node_explanation import NodeExplanation

# Loss weights for mask size (summed over edges, averaged over features) and entropy; the defaults
# of the reference code and of PyTorch Geometric.
EDGE_SIZE, EDGE_ENTROPY = 0.005, 1.0
FEATURE_SIZE, FEATURE_ENTROPY = 1.0, 0.1


def explain_nodes(model, graph, nodes, steps=200, learning_rate=0.05):
    """Explains node predictions by a small set of edges and features (GNNExplainer).

    For each node, it learns masks `M` of the edges and `F` of the features that preserve the
    predicted class `ŷ` with as little of the graph as possible:

    ```
    min_{M,F} -log P(Y = ŷ | A ∘ σ(M), X ∘ σ(F)) + size and entropy of σ(M) and σ(F)
    ```

    A mask multiplies an edge's weight, or a feature of all nodes. All masks start at 1/2, so that
    results do not depend on a seed. Edges and features whose first gradient is zero, such as edges
    outside the receptive field, have no effect and score 0. The method does not see the effect of
    features that are zero, nor that of a node's only edge in a layer that normalizes its weights,
    such as a mean.

    Args:
        model: Keras model that maps a graph to logits `(nodes, classes)`, or `(entities, classes)`.
        graph: input of the model: a graph dict with an `edge_index`, see `GraphLayer`; a
            heterogeneous graph, see `GraphFusion`; or the inputs of a `NodeClassifier`. The model
            must use `edge_weight`, as all graph layers do except `SAGELayer` with "max".
        nodes: sequence of ints. Rows of the output to explain.
        steps: int. Number of Adam steps for each node.
        learning_rate: float.

    Returns:
        List of `NodeExplanation`, one for each of `nodes`, including the attention weights of the
        model's `GATLayer`s.

    Raises:
        ValueError: if the graph is invalid, the output does not have the shape `(nodes, classes)`,
            or a node is out of range.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.explain import explain_nodes
    >>> from keras_mmfusion.layers.graph import GCNLayer
    >>> model = keras.Sequential([GCNLayer(2)])
    >>> graph = {
    ...     "node_features": np.eye(3, dtype="float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> [explanation] = explain_nodes(model, graph, [0], steps=5)
    >>> explanation.edge_scores.shape, explanation.feature_scores.shape
    ((4,), (3,))

    Reference:
        Ying et al., "GNNExplainer: Generating Explanations for Graph Neural Networks", 2019,
        equations 5 (edges) and 6 (features), section 4.2 (size and entropy). Features are
        multiplied by their mask; the paper's sampling of masked features is not used.
    """
    check_integer(explain_nodes, "steps", steps)
    masked = MaskedGraph(graph)
    logits = ops.convert_to_numpy(model(masked.inputs, training=False)).astype("float64")
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(
            "`model` must return logits (nodes, classes) with at least two classes. Received "
            f"shape: {logits.shape}"
        )
    nodes = [int(node) for node in nodes]
    for node in nodes:
        if not 0 <= node < len(logits):
            raise ValueError(
                f"`nodes` must be in [0, {len(logits)}), the rows of the output. Received: {node}"
            )
    attention = {}
    if not masked.hetero:
        edges = masked.edge_index[ONE].shape[1]
        attention = compute_node_attention(model, masked.inputs, edges)
    search = _MaskSearch(model, masked)
    explanations = []
    for node in nodes:
        predicted = int(logits[node].argmax())
        probability = float(1 / np.exp(logits[node] - logits[node, predicted]).sum())
        edges, features = search.run(node, predicted, steps, learning_rate)
        explanations.append(
            NodeExplanation(
                node,
                predicted,
                probability,
                masked.unwrap(masked.edge_index),
                masked.unwrap(edges),
                masked.unwrap(features),
                attention,
            )
        )
    return explanations


class GNNExplainer(ExplanationMethod):
    """Scores of the edges and features that are sufficient for a prediction; see `explain_nodes`.

    Args:
        steps: int. Number of Adam steps.
        learning_rate: float.

    Example:

    >>> from keras_mmfusion.explain import GNNExplainer
    >>> GNNExplainer(steps=50)
    GNNExplainer(steps=50, learning_rate=0.05)
    """

    name = "gnn_explainer"
    levels = ("edge", "feature")

    def __init__(self, steps=200, learning_rate=0.05):
        self.steps = check_integer(self, "steps", steps)
        self.learning_rate = check_positive(self, "learning_rate", learning_rate)

    def find_problem(self, explainable, level):
        if getattr(explainable, "graph", None) is None:
            return "the input is not a graph"
        return None

    def attribute(self, explainable, level, batch_size):
        search = _MaskSearch(explainable.model, explainable.graph)
        scores = search.run(explainable.node, explainable.predicted, self.steps, self.learning_rate)
        part, scores = ("edges", scores[0]) if level == "edge" else ("features", scores[1])
        return Attribution({name: scores[key] for name, key in explainable.names[part].items()})


class _MaskSearch:
    """Learns the masks of one node after the other, with a gradient function compiled once."""

    def __init__(self, model, masked):
        self.model = model
        self.masked = masked
        self.edges, self.features = masked.make_ones()
        self.ones = [*self.edges.values(), *self.features.values()]
        self.gradients = compile_gradients(self._loss)

    def run(self, node, predicted, steps, learning_rate):
        logits = [np.zeros_like(one) for one in self.ones]
        node, predicted = (ops.convert_to_tensor(x, "int32") for x in (node, predicted))
        # With no mask active, size and entropy vanish: the gradient is that of the prediction.
        gradients = self._compute_gradients(logits, logits, node, predicted)
        active = [np.float32(gradient != 0) for gradient in gradients]
        step = _Adam(logits, learning_rate)
        for _ in range(steps):
            logits = step(logits, self._compute_gradients(logits, active, node, predicted))
        scores = [each / (1 + np.exp(-logit)) for logit, each in zip(logits, active, strict=True)]
        edges = dict(zip(self.edges, scores[: len(self.edges)], strict=True))
        return edges, dict(zip(self.features, scores[len(self.edges) :], strict=True))

    def _compute_gradients(self, logits, active, node, predicted):
        arrays = [ops.convert_to_tensor(x, "float32") for x in (*logits, *active)]
        _, _, gradients = self.gradients(*arrays, node, predicted)
        return [ops.convert_to_numpy(gradient) for gradient in gradients]

    def _loss(self, watch, *args):
        count = len(self.ones)
        masks = [ops.sigmoid(watch(logits)) for logits in args[:count]]
        active, (node, predicted) = args[count : 2 * count], args[2 * count :]
        split = len(self.edges)
        inputs = self.masked.apply_masks(
            dict(zip(self.edges, masks[:split], strict=True)),
            dict(zip(self.features, masks[split:], strict=True)),
        )
        logits = ops.cast(self.model(inputs, training=False), "float32")
        log_probabilities = ops.log_softmax(ops.take(logits, node, axis=0))
        loss = -ops.take(log_probabilities, predicted)
        size, entropy = _compute_size_and_entropy(masks[:split], active[:split])
        loss = loss + EDGE_SIZE * size
        number = sum(ops.sum(each) for each in active[:split])
        loss = loss + EDGE_ENTROPY * entropy / ops.maximum(number, 1.0)
        size, entropy = _compute_size_and_entropy(masks[split:], active[split:])
        number = sum(ops.sum(each) for each in active[split:])
        return loss + (FEATURE_SIZE * size + FEATURE_ENTROPY * entropy) / ops.maximum(number, 1.0)


def _compute_size_and_entropy(masks, active):
    """Returns the sum of the active mask entries, and the sum of their binary entropies."""
    size = entropy = 0.0
    for mask, each in zip(masks, active, strict=True):
        size = size + ops.sum(each * mask)
        log_on, log_off = ops.log(mask + 1e-15), ops.log(1.0 - mask + 1e-15)
        entropy = entropy - ops.sum(each * (mask * log_on + (1.0 - mask) * log_off))
    return size, entropy


class _Adam:
    """Adam with one step size per mask, from its largest gradient.

    With one step size per entry, all entries would move alike whatever their gradients, and the
    scores would not reflect their importance. It runs in NumPy, since Keras's optimizers, called
    eagerly, take longer than the rest of a step.
    """

    def __init__(self, masks, learning_rate):
        self.learning_rate = learning_rate
        self.count = 0
        self.means = [np.zeros_like(x) for x in masks]
        self.squares = [0.0 for _ in masks]

    def __call__(self, masks, gradients):
        self.count += 1
        rate = self.learning_rate * np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        updated = []
        for i, (mask, gradient) in enumerate(zip(masks, gradients, strict=True)):
            self.means[i] += 0.1 * (gradient - self.means[i])
            self.squares[i] += 0.001 * (float(np.max(gradient**2, initial=0)) - self.squares[i])
            mask = mask - rate * self.means[i] / (np.sqrt(self.squares[i]) + 1e-7)
            updated.append(np.float32(mask))
        return updated

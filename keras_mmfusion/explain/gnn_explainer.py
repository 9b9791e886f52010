"""Which edges and features the predictions of a graph's nodes rest on."""

import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.explain.mask_gradients import mask_gradients
from keras_mmfusion.explain.masked_graph import ONE, MaskedGraph
from keras_mmfusion.explain.node_attention import node_attention
from keras_mmfusion.explain.node_explanation import NodeExplanation

# How much the loss minds the size and the entropy of the masks, as the authors' own and PyTorch
# Geometric's have it: the sum over edges, the mean over features.
EDGE_SIZE, EDGE_ENTROPY = 0.005, 1.0
FEATURE_SIZE, FEATURE_ENTROPY = 1.0, 0.1


def explain_nodes(model, graph, nodes, steps=200, learning_rate=0.05):
    """Explains predictions for nodes by the edges and features that are enough for them.

    GNNExplainer: for each node, masks `M` of the edges and `F` of the features are learned that
    keep what the model predicts, `ŷ`, with as little of the graph as they can:

    ```
    min_{M,F} -log P(Y = ŷ | A ∘ σ(M), X ∘ σ(F)) + size and entropy of σ(M) and σ(F)
    ```

    A mask multiplies the weight of an edge, and a feature in all nodes. The masks start at 1/2
    everywhere, so that a result does not depend on a seed. Edges and features by which the first
    gradient is zero, such as edges too far away, have no effect and score 0. To features that are
    zero nothing is to mask: what a zero says is not seen. Nor is what the only edge of a node says
    to a layer whose weights are normalized, such as a mean, which is the same by any weight.

    Args:
        model: Keras model from a graph to logits `(nodes, classes)`, or `(entities, classes)`.
        graph: what it takes: a graph's dict with an `edge_index`, see `GraphLayer`; a typed graph,
            see `GraphFusion`; or the inputs of a `NodeClassifier`. The model must heed
            `edge_weight`, as all graph layers but `SAGELayer`'s maximum do.
        nodes: sequence of ints. Rows of the output.
        steps: int. Steps of Adam for each node; a mask has one step size.
        learning_rate: float.

    Returns:
        List of `NodeExplanation`, one for each of `nodes`. With the model's attention weights, if
        it has `GATLayer`s.

    Raises:
        ValueError: if the graph is not one, the output has not the shape `(nodes, classes)`, or a
            node is out of range.

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
        equations 5 (edges) and 6 (features), section 4.2 (size and entropy); features are
        multiplied by their mask, without the paper's draws in place of what is left out.
    """
    check_integer(explain_nodes, "steps", steps)
    masked = MaskedGraph(graph)
    logits = ops.convert_to_numpy(model(masked.inputs, training=False)).astype("float64")
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(
            "`model` must give logits (nodes, classes), of two classes at least. Received shape: "
            f"{logits.shape}"
        )
    nodes = [int(node) for node in nodes]
    for node in nodes:
        if not 0 <= node < len(logits):
            raise ValueError(
                f"`nodes` must be in [0, {len(logits)}), for {len(logits)} rows of the output. "
                f"Received: {node}"
            )
    attention = {}
    if not masked.typed:
        attention = node_attention(model, masked.inputs, masked.edge_index[ONE].shape[1])
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
                masked.edge_index if masked.typed else masked.edge_index[ONE],
                edges if masked.typed else edges[ONE],
                features if masked.typed else features[ONE],
                attention,
            )
        )
    return explanations


class _MaskSearch:
    """Masks for one node after the other, by a step that is compiled once."""

    def __init__(self, model, masked):
        self.model = model
        self.masked = masked
        self.edges, self.features = masked.ones()
        self.ones = [*self.edges.values(), *self.features.values()]
        self.gradients = mask_gradients(self._loss, len(self.ones))

    def run(self, node, predicted, steps, learning_rate):
        masks = [np.zeros_like(one) for one in self.ones]
        node, predicted = (ops.convert_to_tensor(x, "int32") for x in (node, predicted))
        # Counting none, size and entropy have no slope, and what is left is the prediction's.
        slopes = self._slopes(masks, masks, node, predicted)
        counts = [np.float32(slope != 0) for slope in slopes]
        step = _Adam(masks, learning_rate)
        for _ in range(steps):
            masks = step(masks, self._slopes(masks, counts, node, predicted))
        scores = [count / (1 + np.exp(-mask)) for mask, count in zip(masks, counts, strict=True)]
        edges = dict(zip(self.edges, scores[: len(self.edges)], strict=True))
        return edges, dict(zip(self.features, scores[len(self.edges) :], strict=True))

    def _slopes(self, masks, counts, *of_node):
        arrays = [ops.convert_to_tensor(x, "float32") for x in (*masks, *counts)]
        _, slopes = self.gradients(*arrays, *of_node)
        return [ops.convert_to_numpy(slope) for slope in slopes]

    def _loss(self, *args):
        count = len(self.ones)
        masks, counts, (node, predicted) = args[:count], args[count : 2 * count], args[2 * count :]
        masks = [ops.sigmoid(mask) for mask in masks]
        split = len(self.edges)
        inputs = self.masked.with_masks(
            dict(zip(self.edges, masks[:split], strict=True)),
            dict(zip(self.features, masks[split:], strict=True)),
        )
        logits = ops.cast(self.model(inputs, training=False), "float32")
        log_probabilities = ops.log_softmax(ops.take(logits, node, axis=0))
        loss = -ops.take(log_probabilities, predicted)
        size, entropy = _size_and_entropy(masks[:split], counts[:split])
        loss = loss + EDGE_SIZE * size
        number = sum(ops.sum(each) for each in counts[:split])
        loss = loss + EDGE_ENTROPY * entropy / ops.maximum(number, 1.0)
        size, entropy = _size_and_entropy(masks[split:], counts[split:])
        number = sum(ops.sum(each) for each in counts[split:])
        return loss + (FEATURE_SIZE * size + FEATURE_ENTROPY * entropy) / ops.maximum(number, 1.0)


def _size_and_entropy(masks, counts):
    """The sums of masks, and of the entropies of their numbers, over those that count."""
    size = entropy = 0.0
    for mask, count in zip(masks, counts, strict=True):
        size = size + ops.sum(count * mask)
        sure, unsure = ops.log(mask + 1e-15), ops.log(1.0 - mask + 1e-15)
        entropy = entropy - ops.sum(count * (mask * sure + (1.0 - mask) * unsure))
    return size, entropy


class _Adam:
    """Adam with one step size for a whole mask, by its largest slope.

    With one for each of its numbers, all would move alike, whatever their slopes are, and what
    matters little could not be told from what matters. In NumPy: Keras's optimizers, called
    eagerly, take longer than the rest of a step.
    """

    def __init__(self, masks, learning_rate):
        self.learning_rate = learning_rate
        self.count = 0
        self.means = [np.zeros_like(x) for x in masks]
        self.squares = [0.0 for _ in masks]

    def __call__(self, masks, slopes):
        self.count += 1
        rate = self.learning_rate * np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        found = []
        for i, (mask, slope) in enumerate(zip(masks, slopes, strict=True)):
            self.means[i] += 0.1 * (slope - self.means[i])
            self.squares[i] += 0.001 * (float(np.max(slope**2, initial=0)) - self.squares[i])
            moved = mask - rate * self.means[i] / (np.sqrt(self.squares[i]) + 1e-7)
            found.append(np.float32(moved))
        return found

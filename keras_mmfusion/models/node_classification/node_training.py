"""Training of a node classifier on a whole graph, as many runs as wanted by one compiled step."""

import keras
import numpy as np

from keras_mmfusion.models.node_classification.node_inputs import (
    node_classifier_inputs,
    with_orders,
)


def train_node_classifier(recipe, data, seeds):
    """Trains a node classifier from the beginning for each seed, and scores it on the test nodes.

    Nothing is chosen by the test nodes: early stopping looks at the validation nodes.

    Args:
        recipe: `NodeRecipe`.
        data: `LabeledGraph`.
        seeds: iterable of ints.

    Returns:
        A generator of `(model, scores)`, one for each seed: the model with the weights that were
        chosen, which the next run changes, and a dict of `seed`, `test_accuracy`,
        `validation_accuracy` and `epochs`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import LabeledGraph
    >>> from keras_mmfusion.models.node_classification import (
    ...     GCNClassifier, NodeRecipe, train_node_classifier
    ... )
    >>> ring = np.arange(6)
    >>> data = LabeledGraph(
    ...     node_features=np.eye(6, dtype="float32"),
    ...     edge_index=np.stack([ring, (ring + 1) % 6]),
    ...     labels=ring % 2,
    ...     train_nodes=ring[:2],
    ...     validation_nodes=ring[2:4],
    ...     test_nodes=ring[4:],
    ... )
    >>> recipe = NodeRecipe(GCNClassifier, learning_rate=0.01, epochs=3)
    >>> for model, scores in train_node_classifier(recipe, data, seeds=[0]):
    ...     print(sorted(scores))
    ['epochs', 'seed', 'test_accuracy', 'validation_accuracy']
    """
    inputs = with_orders(node_classifier_inputs(data))
    training = _Training(recipe, data, inputs)
    for seed in seeds:
        yield training.model, training.run(seed)


class _Training:
    def __init__(self, recipe, data, inputs):
        self.recipe = recipe
        self.data = data
        self.inputs = {key: keras.ops.convert_to_tensor(x) for key, x in inputs.items()}
        self.model = self._make(0)
        # The mean over the training nodes, as a sum that all others are left out of.
        self.model.compile(
            keras.optimizers.Adam(recipe.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
            # Eager JAX is slow; to TensorFlow, XLA's sums by index on a CPU are.
            jit_compile=keras.config.backend() == "jax",
        )
        self.labels = keras.ops.convert_to_tensor(np.maximum(data.labels, 0))
        share = np.zeros(len(data.labels), "float32")
        share[data.train_nodes] = 1 / len(data.train_nodes)
        self.share = keras.ops.convert_to_tensor(share)

    def _make(self, seed):
        keras.utils.set_random_seed(seed)
        model = self.recipe.model(self.data.node_features.shape[1], self.data.num_classes)
        model(self.inputs)
        return model

    def run(self, seed):
        """Trains from the beginning; the step that was compiled for the first run serves all."""
        for weight, first in zip(self.model.variables, self._make(seed).variables, strict=True):
            weight.assign(first)
        for state in self.model.optimizer.variables:
            state.assign(keras.ops.zeros(state.shape, state.dtype))
        self.model.optimizer.learning_rate = self.recipe.learning_rate
        best, waited, epoch = None, 0, 0
        highest, lowest = 0.0, np.inf
        patience = self.recipe.patience
        while epoch < self.recipe.epochs and (patience is None or waited < patience):
            self.model.train_on_batch(self.inputs, self.labels, self.share)
            epoch += 1
            if patience is None:
                continue
            loss, accuracy = self._score(self._logits(), self.data.validation_nodes)
            if accuracy >= highest and loss <= lowest:
                best = [keras.ops.copy(weight.value) for weight in self.model.trainable_variables]
            waited = 0 if accuracy >= highest or loss <= lowest else waited + 1
            highest, lowest = max(accuracy, highest), min(loss, lowest)
        if best is not None:
            for weight, value in zip(self.model.trainable_variables, best, strict=True):
                weight.assign(value)
        logits = self._logits()
        return {
            "seed": seed,
            "test_accuracy": self._score(logits, self.data.test_nodes)[1],
            "validation_accuracy": self._score(logits, self.data.validation_nodes)[1],
            "epochs": epoch,
        }

    def _logits(self):
        return self.model.predict_on_batch(self.inputs)

    def _score(self, logits, nodes):
        """Cross-entropy and accuracy on some nodes."""
        logits, labels = np.float64(logits[nodes]), self.data.labels[nodes]
        logits = logits - logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits).sum(axis=1))
        loss = np.mean(log_sum - logits[np.arange(len(labels)), labels])
        return float(loss), float(np.mean(logits.argmax(axis=1) == labels))

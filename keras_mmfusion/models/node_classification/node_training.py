"""Full-graph training of node classifiers."""

import keras
import numpy as np

from keras_mmfusion.models.node_classification.node_inputs import (
    add_orders,
    make_node_inputs,
)


def train_node_classifier(recipe, data):
    """Trains a node classifier on a whole graph.

    Early stopping uses the validation nodes; the labels of the test nodes are not used.

    Args:
        recipe: `NodeRecipe`.
        data: `LabeledGraph`.

    Returns:
        The trained `NodeClassifier`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import LabeledGraph
    >>> from keras_mmfusion.models.node_classification import (
    ...     GCNClassifier, NodeRecipe, evaluate_node_classifier, train_node_classifier
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
    >>> model = train_node_classifier(recipe, data)
    >>> sorted(evaluate_node_classifier(model, data).metrics)
    ['test_accuracy', 'validation_accuracy']
    """
    return next(train_for_seeds(recipe, data, [recipe.seed]))[0]


def train_for_seeds(recipe, data, seeds):
    """Trains a node classifier from scratch for each seed, compiling the training step once.

    Args:
        recipe: `NodeRecipe`.
        data: `LabeledGraph`.
        seeds: iterable of ints.

    Yields:
        `(model, scores)` for each seed: the trained model, which the next run overwrites, and a
        dict of `seed`, `test_accuracy`, `validation_accuracy` and `epochs`.
    """
    inputs = add_orders(make_node_inputs(data))
    training = _Training(recipe, data, inputs)
    for seed in seeds:
        yield training.model, training.run(seed)


def compute_loss_and_accuracy(logits, labels):
    """Returns the mean cross-entropy and the accuracy: two floats.

    Args:
        logits: array `(nodes, classes)`.
        labels: int array `(nodes,)`.
    """
    logits = np.float64(logits)
    logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1))
    loss = np.mean(log_sum - logits[np.arange(len(labels)), labels])
    return float(loss), float(np.mean(logits.argmax(axis=1) == labels))


class _Training:
    """Trains one model repeatedly on a fixed graph."""

    def __init__(self, recipe, data, inputs):
        self.recipe = recipe
        self.data = data
        self.inputs = {key: keras.ops.convert_to_tensor(x) for key, x in inputs.items()}
        self.model = self._make_model(0)
        # Sample weights turn the sum over all nodes into the mean over the training nodes.
        self.model.compile(
            keras.optimizers.Adam(recipe.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
            # Eager JAX is slow; on TensorFlow, XLA's segment sums are slow on a CPU.
            jit_compile=keras.config.backend() == "jax",
        )
        self.labels = keras.ops.convert_to_tensor(np.maximum(data.labels, 0))
        weights = np.zeros(len(data.labels), "float32")
        weights[data.train_nodes] = 1 / len(data.train_nodes)
        self.sample_weights = keras.ops.convert_to_tensor(weights)

    def _make_model(self, seed):
        keras.utils.set_random_seed(seed)
        model = self.recipe.model(self.data.node_features.shape[1], self.data.num_classes)
        model(self.inputs)
        return model

    def run(self, seed):
        """Trains from scratch and returns the scores."""
        self._reset(seed)
        epochs = self._fit()
        logits = self._predict()
        return {
            "seed": seed,
            "test_accuracy": self._score(logits, self.data.test_nodes)[1],
            "validation_accuracy": self._score(logits, self.data.validation_nodes)[1],
            "epochs": epochs,
        }

    def _reset(self, seed):
        new_model = self._make_model(seed)
        for weight, initial in zip(self.model.variables, new_model.variables, strict=True):
            weight.assign(initial)
        for state in self.model.optimizer.variables:
            state.assign(keras.ops.zeros(state.shape, state.dtype))
        self.model.optimizer.learning_rate = self.recipe.learning_rate

    def _fit(self):
        """Trains until the recipe stops, restores the best weights, and returns the epochs."""
        best, waited, epoch = None, 0, 0
        highest, lowest = 0.0, np.inf
        patience = self.recipe.patience
        while epoch < self.recipe.epochs and (patience is None or waited < patience):
            self.model.train_on_batch(self.inputs, self.labels, self.sample_weights)
            epoch += 1
            if patience is None:
                continue
            loss, accuracy = self._score(self._predict(), self.data.validation_nodes)
            if accuracy >= highest and loss <= lowest:
                best = [keras.ops.copy(weight.value) for weight in self.model.trainable_variables]
            waited = 0 if accuracy >= highest or loss <= lowest else waited + 1
            highest, lowest = max(accuracy, highest), min(loss, lowest)
        if best is not None:
            for weight, value in zip(self.model.trainable_variables, best, strict=True):
                weight.assign(value)
        return epoch

    def _predict(self):
        return self.model.predict_on_batch(self.inputs)

    def _score(self, logits, nodes):
        return compute_loss_and_accuracy(logits[nodes], self.data.labels[nodes])

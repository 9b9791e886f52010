import dataclasses

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.datasets import LabeledGraph
from keras_mmfusion.layers.graph import GATLayer, GCNLayer
from keras_mmfusion.models.node_classification import (
    APPNPClassifier,
    GATClassifier,
    GCN2Classifier,
    GCNClassifier,
    GraphFusionClassifier,
    NodeRecipe,
    add_orders,
    evaluate_node_classifier,
    get_node_recipe,
    make_node_inputs,
    score_node_recipe,
    train_node_classifier,
)
from keras_mmfusion.models.node_classification.node_recipe import RECIPES
from keras_mmfusion.models.node_classification.node_training import train_for_seeds

DIM = 12
CLASSIFIERS = {
    "gcn": lambda **kw: GCNClassifier(DIM, 3, hidden_dim=8, **kw),
    "gat": lambda **kw: GATClassifier(DIM, 3, head_dim=4, num_heads=2, **kw),
    "appnp": lambda **kw: APPNPClassifier(DIM, 3, hidden_dim=8, num_steps=3, **kw),
    "gcn2": lambda **kw: GCN2Classifier(DIM, 3, hidden_dim=8, num_layers=3, **kw),
    "fusion": lambda **kw: GraphFusionClassifier(DIM, 3, num_nodes=90, hidden_dim=16, **kw),
}
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


def make_communities(nodes=90, seed=0):
    """Three groups with edges and words in common, which any classifier must separate."""
    rng = np.random.default_rng(seed)
    labels = np.arange(nodes) % 3
    words = rng.random((nodes, DIM)) < np.where(np.arange(DIM) % 3 == labels[:, None], 0.5, 0.15)
    pairs = rng.integers(0, nodes, (3000, 2))
    near = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    pairs = np.unique(pairs[near & (pairs[:, 0] != pairs[:, 1])][:200], axis=0)
    order = rng.permutation(nodes)
    return LabeledGraph(
        node_features=words.astype("float32"),
        edge_index=np.concatenate([pairs, pairs[:, ::-1]]).T.astype("int32"),
        labels=labels.astype("int32"),
        train_nodes=order[:15],
        validation_nodes=order[15:40],
        test_nodes=order[40:],
    )


DATA = make_communities()
INPUTS = make_node_inputs(DATA)
DTYPES = {
    "feature_index": "int32",
    "feature_values": "float32",
    "edge_index": "int32",
    "source_scale": "float32",
}


def test_inputs_are_normalized_rows():
    features = np.zeros((90, DIM))
    features[tuple(INPUTS["feature_index"])] = INPUTS["feature_values"]
    totals = DATA.node_features.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(features, DATA.node_features / np.maximum(totals, 1), atol=1e-6)


def compute_dense_logits(model):
    """GCN and GAT with layers that project the dense features themselves."""
    features = np.zeros((90, DIM), "float32")
    features[tuple(INPUTS["feature_index"])] = INPUTS["feature_values"]
    graph = {"node_features": features, "edge_index": INPUTS["edge_index"]}
    if isinstance(model, GCNClassifier):
        layer = GCNLayer(8, activation="relu")
        layer(graph)
        layer.projection.kernel.assign(model.input_layer.kernel)
    else:
        layer = GATLayer(4, num_heads=2, activation="elu")
        layer(graph)
        layer.source_projection.kernel.assign(model.input_layer.kernel)
        layer.source_score.assign(model.hidden_layer.source_score)
        layer.target_score.assign(model.hidden_layer.target_score)
    return model.output_layer({**graph, "node_features": layer(graph)})


@pytest.mark.parametrize("name", ["gcn", "gat"])
def test_sparse_features_equal_dense_features(name):
    model = CLASSIFIERS[name]()
    logits = to_numpy(model(INPUTS))
    np.testing.assert_allclose(logits, to_numpy(compute_dense_logits(model)), atol=1e-5)


@each_classifier
def test_classifier_saves_and_uses_dropout_only_in_training(name, tmp_path):
    model = CLASSIFIERS[name]()
    logits = to_numpy(model(INPUTS))
    assert logits.shape == (90, 3)
    np.testing.assert_array_equal(logits, to_numpy(model(INPUTS)))
    assert np.abs(to_numpy(model(INPUTS, training=True)) - logits).max() > 1e-4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_allclose(to_numpy(loaded(INPUTS)), logits, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "decayed"), [("gcn", 1), ("gat", 6), ("appnp", 1), ("gcn2", 5), ("fusion", 2)]
)
def test_weight_decay_matches_the_papers(name, decayed):
    model = CLASSIFIERS[name](weight_decay=0.2)
    model(INPUTS)
    kernels = [weight for weight in model.trainable_weights if weight.regularizer is not None]
    assert len(kernels) == decayed
    first = model.input_layer.kernel
    total = float(to_numpy(first.regularizer(first)))
    assert total == pytest.approx(0.1 * np.sum(to_numpy(first) ** 2), rel=1e-5)


def make_recipe(name, epochs, patience=None):
    return NodeRecipe(lambda dim, classes: CLASSIFIERS[name](dropout=0.2), 0.02, epochs, patience)


@each_classifier
def test_training_separates_communities(name):
    ((model, scores),) = train_for_seeds(make_recipe(name, 60), DATA, [0])
    # The fusion classifier also learns a vector of each node, which overfits so few nodes.
    assert scores["test_accuracy"] > (0.6 if name == "fusion" else 0.7)
    assert scores["epochs"] == 60
    result = evaluate_node_classifier(model, DATA)
    assert result.metrics == {key: scores[key] for key in ("test_accuracy", "validation_accuracy")}
    correct = [sample["label"] == sample["prediction"] for sample in result.samples]
    assert np.mean(correct) == pytest.approx(scores["test_accuracy"])


def test_training_depends_only_on_the_seed():
    recipe = make_recipe("gcn", 10)
    kernels = []
    for model, _ in train_for_seeds(recipe, DATA, [3, 4, 3]):
        kernels.append(to_numpy(model.input_layer.kernel))
    model = train_node_classifier(dataclasses.replace(recipe, seed=4), DATA)
    np.testing.assert_allclose(kernels[0], kernels[2], atol=1e-5)
    np.testing.assert_allclose(kernels[1], to_numpy(model.input_layer.kernel), atol=1e-5)
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-2


def test_training_uses_only_labels_of_training_nodes():
    other = DATA.labels.copy()
    other[DATA.validation_nodes] = other[DATA.test_nodes] = 0
    relabeled = LabeledGraph(**{**vars(DATA), "labels": other})
    kernels = [
        to_numpy(train_node_classifier(make_recipe("gcn", 5), data).input_layer.kernel)
        for data in (DATA, relabeled)
    ]
    np.testing.assert_allclose(kernels[0], kernels[1], atol=1e-6)


def test_early_stopping_restores_the_best_validation_epoch():
    labels = DATA.labels.copy()
    labels[DATA.validation_nodes] = (labels[DATA.validation_nodes] + np.arange(25) % 2) % 3
    noisy = LabeledGraph(**{**vars(DATA), "labels": labels})
    recipe = NodeRecipe(lambda dim, classes: CLASSIFIERS["gcn"](), 0.1, 300, patience=3)
    model, scores = next(train_for_seeds(recipe, noisy, [0]))
    assert 4 <= scores["epochs"] < 300
    logits = to_numpy(model(INPUTS))
    correct = logits.argmax(axis=1) == DATA.labels
    assert scores["test_accuracy"] == pytest.approx(correct[DATA.test_nodes].mean())


def test_recipes_have_the_papers_settings():
    assert (RECIPES["gcn"].learning_rate, RECIPES["gcn"].epochs) == (0.01, 200)
    assert (RECIPES["gat"].learning_rate, RECIPES["gat"].patience) == (0.005, 100)
    config = GCNClassifier(DIM, 3).get_config()
    assert [config[key] for key in ("hidden_dim", "dropout", "weight_decay")] == [16, 0.5, 5e-4]
    config = GATClassifier(DIM, 3).get_config()
    assert [config[key] for key in ("head_dim", "num_heads", "dropout")] == [8, 8, 0.6]


def test_score_node_recipe_averages_runs_and_resumes():
    recipe = NodeRecipe(GCNClassifier, 0.01, 3)
    results = score_node_recipe(recipe, DATA, runs=3)
    accuracy = [run["test_accuracy"] for run in results.samples]
    assert results.metrics["test_accuracy"] == pytest.approx(np.mean(accuracy))
    assert results.metrics["test_accuracy_std"] == pytest.approx(np.std(accuracy))
    assert results.protocol["seeds"] == [0, 1, 2]
    assert results.protocol["settings"]["hidden_dim"] == 16
    assert results.protocol["recipe"] == {"learning_rate": 0.01, "epochs": 3, "patience": None}
    assert results.protocol["model"] == "GCNClassifier"
    first = score_node_recipe(recipe, DATA, runs=3, time_limit=0)
    assert len(first.samples) == 1
    resumed = score_node_recipe(recipe, DATA, runs=3, earlier=first.samples)
    assert resumed.samples == results.samples and resumed.metrics == results.metrics
    assert resumed.protocol["seeds"] == [0, 1, 2]
    with pytest.raises(ValueError, match="`runs` must be larger than the number of `earlier` runs"):
        score_node_recipe(recipe, DATA, runs=1, earlier=first.samples)


def test_get_node_recipe():
    assert get_node_recipe("gat") is RECIPES["gat"]
    with pytest.raises(ValueError, match="`name` must be one of 'gcn', 'gat', 'appnp', 'gcn2'"):
        get_node_recipe("mlp")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="needs TensorFlow")
@pytest.mark.parametrize("name", ["gcn", "gat", "appnp", "gcn2"])
def test_exported_classifier_accepts_graphs_of_any_size(name, tmp_path):
    import tensorflow as tf

    model = CLASSIFIERS[name]()
    expected = to_numpy(model(INPUTS))
    serve = tf.saved_model.load(model.export(tmp_path)).signatures["serving_default"]
    served = serve(**{key: tf.constant(x, dtype=DTYPES[key]) for key, x in INPUTS.items()})
    np.testing.assert_allclose(served["outputs"], expected, atol=1e-5)
    other = make_node_inputs(make_communities(nodes=60, seed=1))
    served = serve(**{key: tf.constant(x, dtype=DTYPES[key]) for key, x in other.items()})
    np.testing.assert_allclose(served["outputs"], to_numpy(model(other)), atol=1e-5)


@each_classifier
def test_orders_do_not_change_outputs(name):
    model = CLASSIFIERS[name]()
    expected = to_numpy(model(INPUTS))
    np.testing.assert_allclose(to_numpy(model(add_orders(INPUTS))), expected, atol=1e-5)

import dataclasses

import keras
import numpy as np
import pytest
from eager_fit import fit_eagerly
from layer_checks import to_numpy
from models.link_prediction.social_circles import make_circles

from keras_mmfusion.datasets import split_links
from keras_mmfusion.explain import explain_link
from keras_mmfusion.models.link_prediction import (
    LinkPredictor,
    LinkRecipe,
    evaluate_link_predictor,
    get_link_recipe,
    make_link_inputs,
    recommend_links,
    train_link_predictor,
)
from keras_mmfusion.models.link_prediction.link_recipe import RECIPES
from keras_mmfusion.models.link_prediction.link_training import _Batches
from keras_mmfusion.models.node_classification import GATClassifier, GCNClassifier

GRAPH = make_circles()
SPLIT = split_links(GRAPH, 0.1, 0.1, negatives=10)
INPUTS = make_link_inputs(GRAPH, SPLIT.train_edges)
PAIRS = np.array([[0, 5, 7, 7], [3, 6, 1, 7]], "int32")


def make_recipe(name="fusion", **settings):
    return dataclasses.replace(get_link_recipe(name), dim=8, steps_per_epoch=4, **settings)


@pytest.fixture(scope="module")
def trained():
    with fit_eagerly():
        return train_link_predictor(make_recipe("gcn", epochs=15, patience=15), GRAPH, SPLIT)


@pytest.mark.parametrize("decoder_dim", [None, 5])
def test_logits_follow_the_formula(decoder_dim):
    model = LinkPredictor(GCNClassifier(12, 4, hidden_dim=6), decoder_dim)
    logits = to_numpy(model({**INPUTS, "pairs": PAIRS}))
    z = to_numpy(model.encoder(INPUTS)).astype("float64")
    product = z[PAIRS[0]] * z[PAIRS[1]]
    expected = product.sum(axis=1)
    if decoder_dim:
        kernels = [to_numpy(x) for x in (*model.hidden_layer.weights, *model.output_layer.weights)]
        hidden = np.maximum(product @ kernels[0] + kernels[1], 0)
        expected = (hidden @ kernels[2] + kernels[3])[:, 0]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    swapped = to_numpy(model({**INPUTS, "pairs": PAIRS[::-1].copy()}))
    np.testing.assert_allclose(swapped, logits, atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_model_saves_as_file_and_preset(name, tmp_path):
    recipe = make_recipe(name)
    model = LinkPredictor(recipe.make_encoder(GRAPH, 8), recipe.decoder_dim)
    inputs = {**INPUTS, "pairs": PAIRS}
    logits = to_numpy(model(inputs))
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        LinkPredictor.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(to_numpy(loaded(inputs)), logits, atol=1e-6)


def test_training_ranks_links_inside_a_circle(trained):
    result = evaluate_link_predictor(trained, GRAPH, SPLIT.train_edges, SPLIT.test)
    assert result.metrics["auc"] > 0.7
    assert {"hard_auc", "hard_mrr", "hits_at_10"} <= set(result.metrics)
    assert len(result.samples) == result.protocol["links"] == SPLIT.test.links.shape[1]
    first = result.samples[0]
    assert [first["source"], first["target"]] == GRAPH.node_ids[SPLIT.test.links[:, 0]].tolist()


def test_batches_hide_the_links_to_predict():
    batches = _Batches(make_recipe("gcn"), GRAPH, SPLIT.train_edges, INPUTS)
    edges, count = SPLIT.train_edges, SPLIT.train_edges.shape[1]
    seen = []
    for inputs, labels in batches.draw(epoch=0):
        links = inputs["pairs"][:, labels == 1]
        hidden = edges[:, inputs["edge_weight"][:count] == 0]
        assert {frozenset(x) for x in links.T.tolist()} == {frozenset(x) for x in hidden.T.tolist()}
        np.testing.assert_array_equal(inputs["edge_weight"][:count], inputs["edge_weight"][count:])
        degrees = np.bincount(inputs["edge_index"][1], inputs["edge_weight"], 60)
        np.testing.assert_allclose(inputs["source_scale"], (degrees + 1) ** -0.5, rtol=1e-5)
        seen += [frozenset(x) for x in links.T.tolist()]
    assert len(set(seen)) == len(seen) == count // 4 * 4


def test_training_does_not_use_test_links():
    other = dataclasses.replace(SPLIT, test=None)
    recipe = make_recipe("gcn", epochs=1)
    with fit_eagerly():
        kernels = [
            to_numpy(train_link_predictor(recipe, GRAPH, split).encoder.input_layer.kernel)
            for split in (SPLIT, other)
        ]
    np.testing.assert_allclose(*kernels, atol=1e-6)


def test_leaks_and_other_graphs_are_rejected(trained):
    with pytest.raises(ValueError, match="must not be among the known `edges`"):
        evaluate_link_predictor(trained, GRAPH, GRAPH.edges, SPLIT.test)
    fusion = LinkPredictor(get_link_recipe("fusion").make_encoder(GRAPH, 8))
    with pytest.raises(ValueError, match="with num_nodes=60. Received"):
        recommend_links(fusion, make_circles(nodes=30), ["user1"])
    with pytest.raises(ValueError, match="with num_attributes=12. Received"):
        recommend_links(trained, GRAPH.without_attributes(), ["user1"])
    with pytest.raises(ValueError, match="`encoder` must be a `NodeClassifier`"):
        LinkPredictor(keras.layers.Dense(3))
    with pytest.raises(ValueError, match="`patience` must be a positive integer"):
        LinkRecipe(GATClassifier, patience=0)


def test_recommendations_are_not_yet_linked(trained):
    [friends] = recommend_links(trained, GRAPH, ["user7"], k=5)
    assert len(friends) == 5
    linked = {frozenset(GRAPH.node_ids[pair].tolist()) for pair in GRAPH.edges.T}
    for other, probability in friends:
        assert other != "user7"
        assert frozenset(["user7", other]) not in linked
        assert 0 <= probability <= 1
    probabilities = [probability for _, probability in friends]
    assert probabilities == sorted(probabilities, reverse=True)
    with pytest.raises(ValueError, match="Unknown: 'nobody'"):
        recommend_links(trained, GRAPH, ["nobody"])


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModels need TensorFlow")
def test_exported_model_returns_the_same_logits(trained, tmp_path):
    import tensorflow as tf

    inputs = {**INPUTS, "pairs": PAIRS}
    served = tf.saved_model.load(trained.export(tmp_path)).signatures["serving_default"]
    outputs = served(**{name: tf.constant(x) for name, x in inputs.items()})["outputs"]
    np.testing.assert_allclose(outputs, to_numpy(trained(inputs)), atol=1e-5)


def test_explanation_of_a_link_names_the_edges_of_its_nodes():
    model = LinkPredictor(GCNClassifier(12, 4, hidden_dim=6, dropout=0.0))
    inputs = make_link_inputs(GRAPH)
    with fit_eagerly():
        explanation = explain_link(model, inputs, (3, 5), steps=5)
    assert explanation.node == 3
    logit = to_numpy(model({**inputs, "pairs": np.array([[3], [5]])}))[0]
    assert explanation.predicted_class == (logit > 0)
    # Two layers see the neighbors of the neighbors of both nodes.
    reached = np.isin(np.arange(60), [3, 5])
    for _ in range(2):
        reached[inputs["edge_index"][0][reached[inputs["edge_index"][1]]]] = True
    outside = ~reached[inputs["edge_index"]].all(axis=0)
    np.testing.assert_array_equal(explanation.edge_scores[outside], 0)
    assert explanation.edge_scores.max() > 0
    with pytest.raises(ValueError, match=r"two nodes in \[0, 60\). Received: \(3, 60\)"):
        explain_link(model, inputs, (3, 60))

import keras
import numpy as np
import pytest
from graph_references import DIM, NODES, adjacency, as_dense, features_of, random_graph, randomize
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import GCN2Layer, normalize_graph

GRAPH = random_graph()
FIRST = np.random.default_rng(5).normal(size=(NODES, DIM)).astype("float32")


def gcn2(layer, graph, first):
    a, (x, _) = adjacency(graph), features_of(graph)
    a = a + np.eye(len(x))
    scale = np.diag(a.sum(axis=1) ** -0.5)
    mixed = (1 - layer.alpha) * scale @ a @ scale @ x + layer.alpha * np.float64(first)
    if not layer.beta:
        return mixed
    kernel = np.float64(to_numpy(layer.projection.kernel))
    return (1 - layer.beta) * mixed + layer.beta * mixed @ kernel


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_layer_equals_its_formula(beta):
    layer = randomize(GCN2Layer(alpha=0.2, beta=beta), GRAPH, FIRST)
    expected = gcn2(layer, GRAPH, FIRST)
    np.testing.assert_allclose(to_numpy(layer(GRAPH, FIRST)), expected, atol=1e-5)
    dense = layer(as_dense(GRAPH), FIRST[None])
    np.testing.assert_allclose(to_numpy(dense)[0], expected, atol=1e-5)
    normalized = layer(normalize_graph(GRAPH), FIRST)
    np.testing.assert_allclose(to_numpy(normalized), expected, atol=1e-5)


def test_masked_nodes_are_not_there():
    graph = {**GRAPH, "node_mask": np.arange(NODES) != 2}
    layer = randomize(GCN2Layer(), graph, FIRST)
    expected = gcn2(layer, graph, FIRST) * graph["node_mask"][:, None]
    first = np.where(graph["node_mask"][:, None], FIRST, np.nan)
    np.testing.assert_allclose(to_numpy(layer(graph, first)), expected, atol=1e-5)


def test_every_check_of_the_layer(tmp_path):
    inputs = {
        "graph": {**GRAPH, "node_mask": np.arange(NODES) != 2},
        "initial_features": FIRST,
    }
    masks = {("graph", "node_mask"): ("graph", "node_features")}
    keras.utils.set_random_seed(1)
    run_layer_checks(lambda **kw: GCN2Layer(use_bias=True, **kw), inputs, masks, folder=tmp_path)


def test_the_implicit_mask_of_keras():
    ids = np.array([[3, 1, 2, 0, 0]])
    embedding = keras.layers.Embedding(4, DIM, mask_zero=True)
    x = embedding(ids)
    graph = {"node_features": x, "adjacency": np.ones((1, 5, 5), "float32")}
    layer = GCN2Layer()
    masked = {**graph, "node_features": to_numpy(x), "node_mask": ids > 0}
    found = layer(graph, x)
    np.testing.assert_allclose(to_numpy(found), to_numpy(layer(masked, to_numpy(x))), atol=1e-6)
    pooled = keras.layers.GlobalAveragePooling1D()(found)
    np.testing.assert_allclose(to_numpy(pooled), to_numpy(found)[:, :3].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: GCN2Layer(alpha=1.5), r"`alpha` must be in \[0, 1\]"),
        (lambda: GCN2Layer(beta=-1), r"`beta` must be in \[0, 1\]"),
        (lambda: GCN2Layer()(GRAPH, FIRST[:, :2]), "`initial_features` must have the dim"),
        (lambda: GCN2Layer()(random_graph(targets=4), FIRST), "the graph must not be bipartite"),
    ],
)
def test_bad_arguments(function, message):
    with pytest.raises(ValueError, match=f"GCN2Layer: .*{message}"):
        function()

import keras
import numpy as np
import pytest
from graph_references import (
    DIM,
    NODES,
    as_dense,
    compute_adjacency,
    get_features,
    random_graph,
    randomize,
)
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import GCN2Layer, normalize_graph

GRAPH = random_graph()
INITIAL = np.random.default_rng(5).normal(size=(NODES, DIM)).astype("float32")


def reference_gcn2(layer, graph, initial):
    a, (x, _) = compute_adjacency(graph), get_features(graph)
    a = a + np.eye(len(x))
    scale = np.diag(a.sum(axis=1) ** -0.5)
    mixed = (1 - layer.alpha) * scale @ a @ scale @ x + layer.alpha * np.float64(initial)
    if not layer.beta:
        return mixed
    kernel = np.float64(to_numpy(layer.projection.kernel))
    return (1 - layer.beta) * mixed + layer.beta * mixed @ kernel


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_layer_matches_reference(beta):
    layer = randomize(GCN2Layer(alpha=0.2, beta=beta), GRAPH, INITIAL)
    expected = reference_gcn2(layer, GRAPH, INITIAL)
    np.testing.assert_allclose(to_numpy(layer(GRAPH, INITIAL)), expected, atol=1e-5)
    dense = layer(as_dense(GRAPH), INITIAL[None])
    np.testing.assert_allclose(to_numpy(dense)[0], expected, atol=1e-5)
    normalized = layer(normalize_graph(GRAPH), INITIAL)
    np.testing.assert_allclose(to_numpy(normalized), expected, atol=1e-5)


def test_masked_nodes_are_ignored():
    graph = {**GRAPH, "node_mask": np.arange(NODES) != 2}
    layer = randomize(GCN2Layer(), graph, INITIAL)
    expected = reference_gcn2(layer, graph, INITIAL) * graph["node_mask"][:, None]
    initial = np.where(graph["node_mask"][:, None], INITIAL, np.nan)
    np.testing.assert_allclose(to_numpy(layer(graph, initial)), expected, atol=1e-5)


def test_layer_passes_layer_checks(tmp_path):
    inputs = {
        "graph": {**GRAPH, "node_mask": np.arange(NODES) != 2},
        "initial_features": INITIAL,
    }
    masks = {("graph", "node_mask"): ("graph", "node_features")}
    keras.utils.set_random_seed(1)
    run_layer_checks(lambda **kw: GCN2Layer(use_bias=True, **kw), inputs, masks, folder=tmp_path)


def test_implicit_keras_mask():
    ids = np.array([[3, 1, 2, 0, 0]])
    embedding = keras.layers.Embedding(4, DIM, mask_zero=True)
    x = embedding(ids)
    graph = {"node_features": x, "adjacency": np.ones((1, 5, 5), "float32")}
    layer = GCN2Layer()
    masked = {**graph, "node_features": to_numpy(x), "node_mask": ids > 0}
    actual = layer(graph, x)
    np.testing.assert_allclose(to_numpy(actual), to_numpy(layer(masked, to_numpy(x))), atol=1e-6)
    pooled = keras.layers.GlobalAveragePooling1D()(actual)
    np.testing.assert_allclose(to_numpy(pooled), to_numpy(actual)[:, :3].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: GCN2Layer(alpha=1.5), r"`alpha` must be in \[0, 1\]"),
        (lambda: GCN2Layer(beta=-1), r"`beta` must be in \[0, 1\]"),
        (lambda: GCN2Layer()(GRAPH, INITIAL[:, :2]), "`initial_features` must have the dim"),
        (lambda: GCN2Layer()(random_graph(targets=4), INITIAL), "the graph must not be bipartite"),
    ],
)
def test_invalid_arguments_raise(function, message):
    with pytest.raises(ValueError, match=f"GCN2Layer: .*{message}"):
        function()

import keras
import numpy as np
import pytest
from graph_references import as_dense, random_graph
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import EdgeDropout, GCNLayer, NodeDropout, normalize_graph

GRAPH = random_graph(nodes=200, edges=1000)
EDGES = GRAPH["edge_index"].shape[1]
NODE_MASK = np.arange(200) % 4 > 0
EDGE_MASK = np.arange(EDGES) % 5 > 0
both = pytest.mark.parametrize("layer", [EdgeDropout, NodeDropout])


@both
@pytest.mark.parametrize("graph", [GRAPH, as_dense(GRAPH)], ids=["edge list", "dense"])
def test_dropout_is_only_active_in_training(layer, graph):
    actual = layer(0.5)(graph)
    for key, value in graph.items():
        np.testing.assert_array_equal(to_numpy(actual[key]), value)
    expected = GCNLayer(4, kernel_initializer="ones")(graph)
    kept = GCNLayer(4, kernel_initializer="ones")(actual)
    np.testing.assert_allclose(to_numpy(kept), to_numpy(expected), atol=1e-6)


def test_fraction_of_dropped_edges():
    layer = EdgeDropout(0.3, seed=0)
    kept = to_numpy(layer(GRAPH, training=True)["edge_mask"])
    assert abs(kept.mean() - 0.7) < 0.05
    assert (kept != to_numpy(layer(GRAPH, training=True)["edge_mask"])).any()
    again = EdgeDropout(0.3, seed=0)(GRAPH, training=True)["edge_mask"]
    np.testing.assert_array_equal(kept, to_numpy(again))
    masked = layer({**GRAPH, "edge_mask": EDGE_MASK}, training=True)
    assert not (to_numpy(masked["edge_mask"]).astype(bool) & ~EDGE_MASK).any()
    dense = to_numpy(layer(as_dense(GRAPH), training=True)["adjacency"])[0]
    edges = as_dense(GRAPH)["adjacency"][0]
    assert abs((dense != 0).sum() / (edges != 0).sum() - 0.7) < 0.05
    np.testing.assert_array_equal(dense[dense != 0], edges[dense != 0])


@pytest.mark.parametrize("graph", [GRAPH, as_dense(GRAPH)], ids=["edge list", "dense"])
def test_fraction_of_dropped_nodes(graph):
    graph = {**graph, "node_mask": NODE_MASK.reshape(graph["node_features"].shape[:-1])}
    kept = to_numpy(NodeDropout(0.3, seed=0)(graph, training=True)["node_mask"]).reshape(-1)
    assert not (kept.astype(bool) & ~NODE_MASK).any()
    assert abs(kept.mean() / NODE_MASK.mean() - 0.7) < 0.1


def test_convolution_ignores_dropped_edges():
    layer = GCNLayer(4)
    layer(GRAPH)
    dropped = EdgeDropout(0.5, seed=0)(normalize_graph(GRAPH), training=True)
    kept = to_numpy(dropped["edge_mask"]).astype(bool)
    alone = {
        "node_features": GRAPH["node_features"],
        "edge_index": GRAPH["edge_index"][:, kept],
        "edge_weight": GRAPH["edge_weight"][kept],
    }
    np.testing.assert_allclose(to_numpy(layer(dropped)), to_numpy(layer(alone)), atol=1e-5)


@both
def test_dropout_passes_layer_checks(layer, tmp_path):
    graph = {**random_graph(), "edge_mask": np.arange(16) != 1}
    run_layer_checks(lambda **kw: layer(0.5, **kw), {"graph": graph}, folder=tmp_path, learns=False)


def test_implicit_keras_mask():
    ids = np.array([[3, 1, 2, 0, 0]])
    x = keras.layers.Embedding(4, 5, mask_zero=True)(ids)
    actual = NodeDropout(0.5)({"node_features": x, "adjacency": np.ones((1, 5, 5))})
    np.testing.assert_array_equal(to_numpy(actual["node_mask"]), ids > 0)


@both
@pytest.mark.parametrize("rate", [1, -0.1, "half", True])
def test_invalid_rates_raise(layer, rate):
    with pytest.raises(ValueError, match=rf"{layer.__name__}: `rate` must be in \[0, 1\)"):
        layer(rate)

import numpy as np
import pytest
from graph_references import random_graph
from layer_checks import to_numpy

from keras_mmfusion.graphs.sorted_edges import SortedEdges
from keras_mmfusion.layers.graph import (
    GATLayer,
    GCNLayer,
    GINLayer,
    SAGELayer,
    apply_layerwise,
    normalize_graph,
)

LAYERS = {
    "gcn": lambda: GCNLayer(3, activation="relu"),
    "gcn without loops": lambda: GCNLayer(3, self_loops=False),
    "gcn improved": lambda: GCNLayer(3, improved=True),
    "gat": lambda: GATLayer(3, num_heads=2),
    "sage": lambda: SAGELayer(3),
    "gin": lambda: GINLayer(3),
}


@pytest.mark.parametrize("edges_per_part", [1, 5, 1000])
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_equal_those_of_the_whole_graph(name, edges_per_part):
    graph = random_graph(nodes=20, edges=60)
    layer = LAYERS[name]()
    expected = to_numpy(layer(graph))
    np.testing.assert_allclose(apply_layerwise(layer, graph, edges_per_part), expected, atol=1e-5)


def test_masked_nodes_and_edges_are_ignored():
    graph = random_graph(nodes=20, edges=60)
    graph["node_mask"] = np.arange(20) % 4 != 0
    graph["edge_mask"] = np.arange(60) % 5 != 0
    graph["node_features"][~graph["node_mask"]] = np.nan
    layer = GCNLayer(3)
    expected = to_numpy(layer(graph))
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(apply_layerwise(layer, graph, 7), expected, atol=1e-5)


def test_precomputed_normalization_is_used():
    graph = random_graph(nodes=20, edges=60)
    layer = GCNLayer(3)
    scaled = normalize_graph(graph)
    scaled["source_scale"] = 2 * scaled["source_scale"]
    expected = to_numpy(layer(scaled))
    np.testing.assert_allclose(apply_layerwise(layer, scaled, 7), expected, atol=1e-5)


def test_graph_without_edges_or_nodes():
    layer = GCNLayer(3)
    graph = {"node_features": np.ones((4, 5), "float32"), "edge_index": np.zeros((2, 0), "int32")}
    assert apply_layerwise(layer, graph).shape == (4, 3)
    graph["node_features"] = graph["node_features"][:0]
    assert apply_layerwise(layer, graph).shape == (0, 3)


def test_split_limits_the_edges_of_a_part():
    targets = np.repeat([0, 1, 2, 4], [3, 10, 2, 2])
    edges = SortedEdges(np.stack([np.zeros_like(targets), targets]), 6)
    assert list(edges.split(5)) == [(0, 1), (1, 2), (2, 6)]


def test_unsupported_graphs_raise():
    with pytest.raises(ValueError, match=r"Received: \['target_features'\]"):
        apply_layerwise(GCNLayer(3), random_graph(targets=4))
    graph = random_graph()
    graph["edge_index"][0, 0] = 7
    with pytest.raises(ValueError, match=r"must be in \[0, 7\)"):
        apply_layerwise(SAGELayer(3), graph)

"""Tests of R-GCN and HGT against NumPy, on edge lists and dense graphs."""

import keras
import numpy as np
import pytest
from graph_references import LayerCase, randomize
from hetero_references import (
    NODES,
    RELATIONS,
    as_dense,
    random_hetero_graph,
    reference_hgt,
    reference_rgcn,
)
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import HGTLayer, RGCNLayer

GRAPH = random_hetero_graph()
SAME_DIMS = random_hetero_graph(1, dims=[(name, 4) for name in NODES])
MASKS = {
    "node_mask": {"image": np.arange(6) != 1, "audio": np.zeros(3, "bool")},
    "edge_mask": {("image", "near", "image"): np.arange(9) != 2},
}
LAYERS = {
    "rgcn": LayerCase(lambda **kw: RGCNLayer(4, **kw), reference_rgcn),
    "rgcn_with_bases": LayerCase(lambda **kw: RGCNLayer(6, num_bases=2, **kw), reference_rgcn),
    "hgt": LayerCase(lambda **kw: HGTLayer(4, num_heads=2, **kw), reference_hgt),
    "hgt_of_one_dim": LayerCase(lambda **kw: HGTLayer(4, **kw), reference_hgt),
}
GRAPHS = {"rgcn": GRAPH, "rgcn_with_bases": SAME_DIMS, "hgt": GRAPH, "hgt_of_one_dim": SAME_DIMS}
each_layer = pytest.mark.parametrize("name", LAYERS)


def make_layer(name):
    return randomize(LAYERS[name].make(), GRAPHS[name])


def assert_equal(actual, expected):
    assert set(actual) == set(expected)
    for node_type, x in expected.items():
        np.testing.assert_allclose(to_numpy(actual[node_type]), x, atol=1e-5)


@each_layer
def test_layer_matches_reference(name):
    layer, graph = make_layer(name), GRAPHS[name]
    expected = LAYERS[name].reference(layer, graph)
    assert_equal(layer(graph), expected)
    dense = layer(as_dense(graph))
    assert_equal({node_type: x[0] for node_type, x in dense.items()}, expected)
    del (graph := dict(graph))["edge_weight"]
    assert_equal(layer(graph), LAYERS[name].reference(layer, graph))


@each_layer
def test_masked_nodes_and_edges_are_ignored(name):
    layer, graph = make_layer(name), {**GRAPHS[name], **MASKS}
    expected = LAYERS[name].reference(layer, graph)
    for node_type, mask in MASKS["node_mask"].items():
        expected[node_type] *= mask[:, None]
    features = dict(graph["node_features"])
    for node_type, mask in MASKS["node_mask"].items():
        features[node_type] = np.where(mask[:, None], features[node_type], np.nan)
    assert_equal(layer({**graph, "node_features": features}), expected)


@each_layer
def test_missing_node_type(name):
    layer, graph = make_layer(name), GRAPHS[name]
    without_audio = {
        "node_features": {**graph["node_features"], "audio": None},
        "edge_index": graph["edge_index"],
    }
    actual = layer(without_audio)
    masked = {
        "node_features": graph["node_features"],
        "edge_index": graph["edge_index"],
        "node_mask": {"audio": np.zeros(3, "bool")},
    }
    expected = {key: to_numpy(x) for key, x in layer(masked).items() if key != "audio"}
    assert_equal(actual, expected)
    del without_audio["node_features"]["audio"]
    assert_equal(layer(without_audio), expected)


@each_layer
def test_empty_relations_and_node_sets(name):
    layer, graph = make_layer(name), GRAPHS[name]
    empty = {relation: np.zeros((2, 0), "int64") for relation in RELATIONS}
    expected = LAYERS[name].reference(layer, {**graph, "edge_index": empty, "edge_weight": {}})
    actual = layer({"node_features": graph["node_features"], "edge_index": empty})
    assert_equal(actual, expected)
    assert_equal(layer({"node_features": graph["node_features"], "edge_index": {}}), expected)
    nothing = {key: x[:0] for key, x in graph["node_features"].items()}
    for x in layer({"node_features": nothing, "edge_index": empty}).values():
        assert tuple(x.shape) == (0, layer.units)


@each_layer
def test_int64_indices_and_index_out_of_range(name):
    layer, graph = make_layer(name), GRAPHS[name]
    wide = {key: index.astype("int64") for key, index in graph["edge_index"].items()}
    assert_equal(
        layer({**graph, "edge_index": wide}), {k: to_numpy(x) for k, x in layer(graph).items()}
    )
    for row, end, index in ((0, "audio", 3), (1, "text", -1)):
        wrong = {**wide, ("audio", "tells", "text"): wide["audio", "tells", "text"].copy()}
        wrong["audio", "tells", "text"][row, 1] = index
        message = rf"'audio/tells/text': `edge_index\[{row}\]` must be in \[0, {NODES[end]}\)"
        with pytest.raises(ValueError, match=message):
            layer({**graph, "edge_index": wrong})


@pytest.mark.parametrize("name", ["rgcn", "hgt"])
def test_layer_passes_layer_checks(name, tmp_path):
    keras.utils.set_random_seed(1)
    graph = {**GRAPHS[name], "node_mask": MASKS["node_mask"], "edge_mask": MASKS["edge_mask"]}
    graph["node_mask"] = {"image": MASKS["node_mask"]["image"]}
    graph = {
        key: {"/".join(k) if isinstance(k, tuple) else k: x for k, x in values.items()}
        for key, values in graph.items()
    }
    masks = {("graph", "node_mask", "image"): ("graph", "node_features", "image")}
    run_layer_checks(
        LAYERS[name].make,
        {"graph": graph},
        masks,
        without_gradient=("audio_output/kernel",),  # No relation has audio nodes as targets.
        folder=tmp_path,
    )


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (np.ones((3, 2)), "a heterogeneous graph must be a dict"),
        ({"node_features": np.ones((3, 2))}, "with a dict 'node_features'"),
        ({**GRAPH, "edges": {}}, "unknown key 'edges' in the graph"),
        ({"node_features": GRAPH["node_features"]}, "either 'edge_index' or 'adjacency'"),
        ({**GRAPH, "edge_index": {"near": np.zeros((2, 1), int)}}, "a relation must be"),
        ({**GRAPH, "edge_index": {("image", "near", "x"): np.zeros((2, 1), int)}}, "no '/' in"),
        ({**GRAPH, "edge_index": {("image", "a/b", "text"): np.zeros((2, 1), int)}}, "no '/' in"),
        ({**GRAPH, "edge_index": {("image", "near", "image"): np.zeros((3, 1), int)}}, "2 axes"),
    ],
)
def test_invalid_graphs_raise(graph, message):
    with pytest.raises(ValueError, match=f"RGCNLayer.*{message}"):
        RGCNLayer(4)(graph)


def test_relation_or_node_type_unknown_at_build_raises():
    layer = make_layer("rgcn")
    edges = {("text", "near", "text"): np.zeros((2, 1), "int32")}
    with pytest.raises(ValueError, match="the layer was built without 'text/near/text'"):
        layer({**GRAPH, "edge_index": edges})
    features = {**GRAPH["node_features"], "video": np.ones((2, 3), "float32")}
    with pytest.raises(ValueError, match="the layer was built without 'video'"):
        layer({**GRAPH, "node_features": features})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: RGCNLayer(0), "RGCNLayer: `units` must be a positive integer"),
        (lambda: RGCNLayer(4, num_bases=0), "RGCNLayer: `num_bases` must be a positive integer"),
        (lambda: RGCNLayer(4, num_bases=2)(GRAPH), "all relations must have sources of the same"),
        (lambda: HGTLayer(4, num_heads=3), "HGTLayer: `num_heads` must divide `units`, 4"),
    ],
)
def test_invalid_arguments_raise(function, message):
    with pytest.raises(ValueError, match=message):
        function()

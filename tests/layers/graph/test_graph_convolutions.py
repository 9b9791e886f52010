"""Tests of GCN, GAT, GraphSAGE and GIN against NumPy, on edge lists and dense graphs."""

import keras
import numpy as np
import pytest
from graph_references import DIM, LAYERS, NODES, add_masks, as_dense, make_layer, random_graph
from layer_checks import flatten_arrays, run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import GATLayer, GCNLayer, SAGELayer, normalize_graph

GRAPH = random_graph()
BIPARTITE = random_graph(1, targets=4)
# The target score of GAT has a gradient only if edges lie on both sides of the leaky ReLU's kink.
MANY_EDGES = random_graph(4, edges=40)
each_layer = pytest.mark.parametrize("name", LAYERS)
each_kind = pytest.mark.parametrize(
    "name", ["gcn", "gat", "gat_v2", "sage_mean", "sage_max", "gin"]
)


@each_layer
@pytest.mark.parametrize("graph", [GRAPH, BIPARTITE], ids=["one node set", "bipartite"])
def test_layer_matches_reference(name, graph):
    layer = make_layer(name, graph)
    expected = LAYERS[name].reference(layer, graph)
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(layer(as_dense(graph)))[0], expected, atol=1e-5)


@each_kind
def test_edge_weights_default_to_ones(name):
    graph = {key: value for key, value in GRAPH.items() if key != "edge_weight"}
    layer = make_layer(name, graph)
    np.testing.assert_allclose(
        to_numpy(layer(graph)), LAYERS[name].reference(layer, graph), atol=1e-5
    )
    ones = {**graph, "edge_weight": np.ones(graph["edge_index"].shape[1], "float32")}
    np.testing.assert_allclose(to_numpy(layer(ones)), to_numpy(layer(graph)), atol=1e-6)


@each_kind
def test_masked_nodes_and_edges_are_ignored(name):
    graph = add_masks(GRAPH)
    layer = make_layer(name, graph)
    expected = LAYERS[name].reference(layer, graph) * graph["node_mask"][:, None]
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)
    dense = as_dense(graph)
    # The adjacency of a masked node is ignored.
    masked = ~graph["node_mask"]
    dense["adjacency"][0][masked] = dense["adjacency"][0][:, masked] = np.nan
    np.testing.assert_allclose(to_numpy(layer(dense))[0], expected, atol=1e-5)
    invalid = np.where(graph["edge_mask"], graph["edge_index"], [[-5], [1000]]).astype("int32")
    np.testing.assert_allclose(
        to_numpy(layer({**graph, "edge_index": invalid})), expected, atol=1e-5
    )


@each_kind
def test_dense_batch_equals_disjoint_union(name):
    graphs = [random_graph(seed) for seed in (2, 3)]
    layer = make_layer(name, graphs[0])
    each = [to_numpy(layer(graph)) for graph in graphs]
    shifted = np.concatenate([graphs[0]["edge_index"], graphs[1]["edge_index"] + NODES], axis=1)
    union = {
        "node_features": np.concatenate([graph["node_features"] for graph in graphs]),
        "edge_weight": np.concatenate([graph["edge_weight"] for graph in graphs]),
        "edge_index": shifted,
        "graph_index": np.repeat([0, 1], NODES),
    }
    np.testing.assert_allclose(to_numpy(layer(union)), np.concatenate(each), atol=1e-5)
    dense = [as_dense(graph) for graph in graphs]
    batch = {key: np.concatenate([graph[key] for graph in dense]) for key in dense[0]}
    np.testing.assert_allclose(to_numpy(layer(batch)), np.stack(each), atol=1e-5)


@pytest.mark.parametrize("name", ["gcn", "gat", "gat_v2", "sage_max", "gin"])
def test_layer_passes_layer_checks(name, tmp_path):
    masks = {
        ("graph", "node_mask"): ("graph", "node_features"),
        ("graph", "edge_mask"): ("graph", "edge_weight"),
    }
    keras.utils.set_random_seed(1)
    run_layer_checks(LAYERS[name].make, {"graph": add_masks(MANY_EDGES)}, masks, folder=tmp_path)


@pytest.mark.parametrize("name", ["gcn", "gat"])
def test_layer_passes_layer_checks_on_dense_bipartite_graphs(name, tmp_path):
    keras.utils.set_random_seed(1)
    dense = as_dense(random_graph(4, edges=40, targets=4))
    dense.update(node_mask=np.arange(NODES)[None] != 2, target_mask=np.arange(4)[None] != 1)
    masks = {
        ("graph", "node_mask"): ("graph", "node_features"),
        ("graph", "target_mask"): ("graph", "target_features"),
    }
    # A GCN does not use target features, so they have no gradient.
    if name == "gcn":
        del masks["graph", "target_mask"]
    run_layer_checks(LAYERS[name].make, {"graph": dense}, masks, folder=tmp_path)


@each_kind
@pytest.mark.parametrize("nodes", [NODES, 0])
def test_graph_without_edges(name, nodes):
    layer = make_layer(name, GRAPH)
    graph = {
        "node_features": GRAPH["node_features"][:nodes],
        "edge_index": np.zeros((2, 0), "int32"),
    }
    actual = to_numpy(layer(graph))
    assert actual.shape == (nodes, layer.output_dim)
    np.testing.assert_allclose(actual, LAYERS[name].reference(layer, graph), atol=1e-5)
    dense = to_numpy(layer({**as_dense(graph), "adjacency": np.zeros((1, nodes, nodes))}))
    np.testing.assert_allclose(dense[0], actual, atol=1e-5)


@each_kind
def test_int64_indices(name):
    layer = make_layer(name, GRAPH)
    wide = {**GRAPH, "edge_index": GRAPH["edge_index"].astype("int64")}
    np.testing.assert_array_equal(to_numpy(layer(wide)), to_numpy(layer(GRAPH)))


@pytest.mark.parametrize(("row", "index"), [(0, NODES), (1, NODES), (0, -1), (1, -1)])
def test_index_out_of_range_raises(row, index):
    layer = make_layer("gat", GRAPH)
    edge_index = GRAPH["edge_index"].copy()
    edge_index[row, 3] = index
    message = rf"`edge_index\[{row}\]` must be in \[0, {NODES}\).*Received: {index}"
    with pytest.raises(ValueError, match=f"GATLayer: {message}"):
        layer({**GRAPH, "edge_index": edge_index})


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
@pytest.mark.parametrize("index", [NODES, -1])
def test_compiled_function_returns_nan_for_index_out_of_range(index):
    layer = make_layer("gcn", GRAPH)
    inputs = {
        "node_features": keras.Input((DIM,), name="node_features"),
        "edge_index": keras.Input(batch_shape=(2, None), dtype="int32", name="edge_index"),
        "edge_weight": keras.Input(batch_shape=(None,), name="edge_weight"),
    }
    model = keras.Model(inputs, layer(inputs))

    def predict(graph):
        return model.predict((({**graph},) for _ in range(2)), steps=1, verbose=0)

    np.testing.assert_allclose(predict(GRAPH), to_numpy(layer(GRAPH)), atol=1e-5)
    edge_index = GRAPH["edge_index"].copy()
    edge_index[1, 3] = index
    assert np.isnan(predict({**GRAPH, "edge_index": edge_index})).all()


@pytest.mark.parametrize("name", ["gcn", "gcn_wide", "gcn_improved", "gcn_without_loops"])
@pytest.mark.parametrize("graph", [GRAPH, BIPARTITE], ids=["one node set", "bipartite"])
def test_precomputed_normalization_is_used(name, graph):
    layer = make_layer(name, graph)
    settings = {"self_loops": layer.self_loops, "improved": layer.improved}
    expected = to_numpy(layer(graph))
    normalized = normalize_graph(graph, **settings)
    np.testing.assert_allclose(to_numpy(layer(normalized)), expected, atol=1e-6)
    dense = normalize_graph(as_dense(graph), **settings)
    np.testing.assert_allclose(to_numpy(layer(dense))[0], expected, atol=1e-5)
    # Other scales give other outputs.
    scaled = {**normalized, "source_scale": 2 * normalized["source_scale"]}
    assert np.abs(to_numpy(layer(scaled)) - expected).max() > 1e-2
    assert "source_scale" not in graph


@pytest.mark.parametrize("name", ["gat", "gat_v2", "gat_without_loops"])
def test_attention_scores(name):
    layer = make_layer(name, GRAPH)
    output, attention = layer(GRAPH, return_attention_scores=True)
    attention = to_numpy(attention)
    source, target = GRAPH["edge_index"]
    edges = len(target)
    sums = np.zeros((NODES, layer.num_heads))
    np.add.at(sums, target, attention[:edges])
    if layer.self_loops:
        assert (attention[:edges][source == target] == 0).all()
        sums += attention[edges:]
        np.testing.assert_allclose(sums, 1, atol=1e-6)
    else:
        has_edges = np.isin(np.arange(NODES), target)
        np.testing.assert_allclose(sums, has_edges[:, None] * np.ones_like(sums), atol=1e-6)
    np.testing.assert_allclose(to_numpy(output), to_numpy(layer(GRAPH)), atol=1e-6)

    _, dense = layer(as_dense(GRAPH), return_attention_scores=True)
    expected = np.zeros((layer.num_heads, NODES, NODES))
    np.add.at(expected, (slice(None), target, source), attention[:edges].T)
    if layer.self_loops:
        expected[:, np.arange(NODES), np.arange(NODES)] += attention[edges:].T
    np.testing.assert_allclose(to_numpy(dense)[0], expected, atol=1e-5)


def test_attention_scores_pass_layer_checks(tmp_path):
    keras.utils.set_random_seed(1)
    run_layer_checks(
        LAYERS["gat"].make, {"graph": MANY_EDGES, "return_attention_scores": True}, folder=tmp_path
    )


def test_attention_dropout_is_only_active_in_training():
    layer = GATLayer(4, num_heads=2, dropout=0.5, seed=0)
    one, other = (to_numpy(layer(GRAPH, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(GRAPH, training=True)) - one).max() > 1e-3


def test_edges_without_positive_weight_get_no_attention():
    weight = np.where(np.arange(GRAPH["edge_index"].shape[1]) < 5, -1.0, 1.0).astype("float32")
    weight[5] = 0
    graph = {**GRAPH, "edge_weight": weight}
    layer = make_layer("gat", graph)
    _, attention = layer(graph, return_attention_scores=True)
    assert (to_numpy(attention)[:6] == 0).all()
    kept = {**graph, "edge_mask": weight > 0}
    np.testing.assert_allclose(to_numpy(layer(graph)), to_numpy(layer(kept)), atol=1e-6)


def test_implicit_keras_mask():
    ids = np.array([[3, 1, 2, 0, 0]])
    neighbors = np.ones((1, 5, 5), "float32")
    inputs = {
        "ids": keras.Input((5,), dtype="int32", name="ids"),
        "adjacency": keras.Input((5, 5), name="adjacency"),
    }
    x = keras.layers.Embedding(4, DIM, mask_zero=True, name="embedding")(inputs["ids"])
    layer = GCNLayer(4)
    output = layer({"node_features": x, "adjacency": inputs["adjacency"]})
    model = keras.Model(inputs, output)
    actual = to_numpy(model({"ids": ids, "adjacency": neighbors}))
    features = to_numpy(model.get_layer("embedding")(ids))
    graph = {"node_features": features, "adjacency": neighbors, "node_mask": ids > 0}
    np.testing.assert_allclose(actual, to_numpy(layer(graph)), atol=1e-6)
    pooled = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(output))
    np.testing.assert_allclose(
        to_numpy(pooled({"ids": ids, "adjacency": neighbors})),
        actual[:, :3].mean(axis=1),
        atol=1e-6,
    )


def test_ties_share_the_gradient_of_max_aggregation():
    x = np.ones((3, 2), "float32")
    graph = {"node_features": x, "edge_index": np.array([[0, 1, 2], [0, 0, 0]])}
    layer = SAGELayer(1, "max", use_bias=False)
    layer(graph)
    layer.pool_dense.set_weights([np.eye(2), np.zeros(2)])
    layer.neighbor_dense.set_weights([np.ones((2, 1))])
    layer.self_dense.set_weights([np.zeros((2, 1))])
    scale = keras.Variable(np.ones((3, 2)))
    gradient = compute_gradient(
        lambda: keras.ops.sum(layer({**graph, "node_features": scale * x})[:1]), scale
    )
    np.testing.assert_allclose(gradient, np.full((3, 2), 1 / 3), atol=1e-6)


def compute_gradient(function, variable):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        return to_numpy(tape.gradient(value, variable.value))
    if backend == "jax":
        import jax

        def call(value):
            with keras.StatelessScope(state_mapping=[(variable, value)]):
                return function()

        return to_numpy(jax.grad(call)(variable.value))
    function().backward()
    return to_numpy(variable.value.grad)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (GRAPH["node_features"], "the graph must be a dict"),
        ({"edge_index": GRAPH["edge_index"]}, "a graph must have 'node_features' and either"),
        ({"node_features": GRAPH["node_features"]}, "without edges, an 'edge_index' of shape"),
        ({**GRAPH, "adjacency": np.ones((1, 7, 7))}, "either 'edge_index' or 'adjacency'"),
        (
            {**GRAPH, "edge_weights": GRAPH["edge_weight"]},
            "unknown key 'edge_weights' in the graph",
        ),
        ({**GRAPH, "edge_index": GRAPH["edge_index"].T}, "'edge_index' must have 2 axes"),
        ({**GRAPH, "edge_index": np.zeros((2, 16))}, "'edge_index' must be of integers"),
        ({**GRAPH, "edge_weight": np.ones(5)}, "'edge_weight' must have length 16"),
        ({**GRAPH, "node_mask": np.ones(5, "bool")}, "'node_mask' must have length 7"),
        ({**GRAPH, "node_features": np.ones((1, 7, 5))}, "'node_features' must have 2 axes"),
        ({**as_dense(GRAPH), "edge_weight": np.ones(5)}, "'edge_weight' belongs to"),
        ({**as_dense(GRAPH), "adjacency": np.ones((1, 7, 5))}, "'adjacency' must have length"),
        ({**as_dense(GRAPH), "adjacency": np.ones((1, 5, 7))}, "'adjacency' must have a row for"),
    ],
)
def test_invalid_graphs_raise(graph, message):
    with pytest.raises(ValueError, match=f"GCNLayer: .*{message}"):
        GCNLayer(4)(graph)
    layer = make_layer("gcn", GRAPH)
    with pytest.raises(ValueError, match=f"GCNLayer: .*{message}"):
        layer(graph)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: GCNLayer(0), "GCNLayer: `units` must be a positive integer"),
        (lambda: GATLayer(4, num_heads=1.5), "GATLayer: `num_heads` must be a positive integer"),
        (lambda: GATLayer(4, version=3), "GATLayer: `version` must be 1 or 2"),
        (lambda: GATLayer(4, dropout=1), r"GATLayer: `dropout` must be in \[0, 1\)"),
        (lambda: SAGELayer(4, "lstm"), "SAGELayer: `aggregation` must be 'mean' or 'max'"),
    ],
)
def test_invalid_arguments_raise(create, message):
    with pytest.raises(ValueError, match=message):
        create()


def test_call_does_not_modify_the_graph():
    graph = add_masks(GRAPH)
    before = {key: value.copy() for key, value in graph.items()}
    make_layer("gat", graph)(graph)
    assert list(graph) == list(before)
    for key, value in flatten_arrays(before).items():
        np.testing.assert_array_equal(graph[key], value)


class TwoLayers(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = GCNLayer(4, activation="relu"), GCNLayer(2)

    def call(self, graph):
        return self.second({**graph, "node_features": self.first(graph)})


def test_subclassed_model_builds_from_shapes():
    graph, model = random_graph(), TwoLayers()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.train_on_batch(graph, np.arange(NODES) % 2)
    assert np.isfinite(loss)
    assert tuple(model(graph).shape) == (NODES, 2)

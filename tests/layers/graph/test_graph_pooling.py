"""Tests of graph poolings against NumPy: several graphs, dense, masked and empty graphs."""

import keras
import numpy as np
import pytest
from graph_references import LayerCase, apply_dense, as_dense, random_graph, randomize
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import (
    GraphAttentionPooling,
    GraphMaxPooling,
    GraphMeanPooling,
    GraphPooling,
    GraphSumPooling,
    SetTransformerPooling,
    TopKPooling,
)

DIM = 5
RNG = np.random.default_rng(0)
# The third of four graphs has no nodes, and the nodes of the graphs are interleaved.
INDEX = np.array([0, 1, 3, 0, 1, 1, 3, 0, 3], "int32")
GRAPH = {
    "node_features": RNG.normal(size=(9, DIM)).astype("float32"),
    "graph_index": INDEX,
    "graph_mask": np.array([True, True, True, True]),
}
NODE_MASK = np.array([True, True, False, True, True, False, True, True, True])


def softmax(x, axis=0):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def reference_attention_pooling(layer, x):
    return (softmax(apply_dense(layer.score_dense, x)) * x).sum(axis=0)


def reference_set_transformer(layer, x):
    x = apply_dense(layer.input_dense, x)
    if layer.num_inducing:
        points = np.float64(to_numpy(layer.inducing_points))
        x = block(layer.node_block, x, block(layer.inducing_block, points, x))
    seeds = np.float64(to_numpy(layer.seeds))
    seeds = block(layer.seed_block, seeds, np.maximum(apply_dense(layer.node_dense, x), 0))
    return block(layer.output_block, seeds, seeds).reshape(-1)


def block(layer, x, y):
    def heads(dense_layer, rows):
        return apply_dense(dense_layer, rows).reshape(len(rows), layer.num_heads, -1)

    queries, keys = heads(layer.query_dense, x), heads(layer.key_dense, y)
    scores = np.einsum("ihd,jhd->ijh", queries, keys) / np.sqrt(queries.shape[-1])
    attended = np.einsum("ijh,jhd->ihd", softmax(scores, axis=1), heads(layer.value_dense, y))
    x = norm(
        layer.attention_norm, x + apply_dense(layer.output_dense, attended.reshape(len(x), -1))
    )
    return norm(layer.output_norm, x + np.maximum(apply_dense(layer.hidden_dense, x), 0))


def norm(layer, x):
    variance = x.var(axis=-1, keepdims=True)
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + layer.epsilon)
    return x * np.float64(to_numpy(layer.gamma)) + np.float64(to_numpy(layer.beta))


POOLINGS = {
    "sum": LayerCase(GraphSumPooling, lambda layer, x: x.sum(axis=0)),
    "mean": LayerCase(GraphMeanPooling, lambda layer, x: x.mean(axis=0)),
    "max": LayerCase(GraphMaxPooling, lambda layer, x: x.max(axis=0)),
    "attention": LayerCase(GraphAttentionPooling, reference_attention_pooling),
    "set_transformer": LayerCase(
        lambda **kw: SetTransformerPooling(6, num_seeds=3, num_inducing=2, num_heads=2, **kw),
        reference_set_transformer,
    ),
    "set_transformer_without_inducing_points": LayerCase(
        lambda **kw: SetTransformerPooling(6, num_seeds=2, num_inducing=0, num_heads=3, **kw),
        reference_set_transformer,
    ),
}
each_pooling = pytest.mark.parametrize("name", POOLINGS)


def make_layer(name, graph=GRAPH):
    return randomize(POOLINGS[name].make(), graph)


def pool_each_graph(name, layer, x, index, graphs):
    """Applies the reference to the nodes of each graph; zeros for a graph without nodes."""
    rows = [np.float64(x[index == graph]) for graph in range(graphs)]
    reference = POOLINGS[name].reference
    width = len(reference(layer, rows[0]))
    return np.stack([reference(layer, row) if len(row) else np.zeros(width) for row in rows])


@each_pooling
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_pooling_matches_reference(name, dtype):
    layer = make_layer(name)
    graph = {**GRAPH, "graph_index": INDEX.astype(dtype)}
    expected = pool_each_graph(name, layer, GRAPH["node_features"], INDEX, 4)
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)
    del graph["graph_mask"]  # The largest index determines the number of graphs.
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)
    edges = {**graph, "edge_index": np.array([[0, 1], [1, 0]])}
    np.testing.assert_allclose(to_numpy(layer(edges)), expected, atol=1e-5)


@each_pooling
def test_masked_nodes_and_graphs_are_ignored(name):
    layer = make_layer(name)
    index = np.where(NODE_MASK, INDEX, -1)
    expected = pool_each_graph(name, layer, GRAPH["node_features"], index, 4)
    expected[0] = 0
    graph = {
        **GRAPH,
        "node_features": np.where(NODE_MASK[:, None], GRAPH["node_features"], np.nan),
        "node_mask": NODE_MASK,
        "graph_mask": np.array([False, True, True, True]),
    }
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)


@each_pooling
def test_dense_graphs_match_reference(name):
    layer = make_layer(name)
    x = RNG.normal(size=(3, 4, DIM)).astype("float32")
    mask = np.array([[True, True, False, True], [True] * 4, [False] * 4])
    rows, index = x.reshape(-1, DIM), np.where(mask, np.arange(3)[:, None], -1).reshape(-1)
    expected = pool_each_graph(name, layer, rows, index, 3)
    graph = {"node_features": np.where(mask[..., None], x, np.nan), "node_mask": mask}
    np.testing.assert_allclose(to_numpy(layer(graph)), expected, atol=1e-5)
    one = {"node_features": x[1]}
    np.testing.assert_allclose(to_numpy(layer(one)), expected[1:2], atol=1e-5)


@each_pooling
def test_graphs_without_nodes_get_zeros(name):
    layer = make_layer(name)
    x = np.zeros((0, DIM), "float32")
    width = layer.compute_output_shape({"node_features": (None, DIM)})[1]
    one = to_numpy(layer({"node_features": x}))
    np.testing.assert_array_equal(one, np.zeros((1, width)))
    none = to_numpy(layer({"node_features": x, "graph_index": np.zeros(0, "int32")}))
    assert none.shape == (0, width)


@pytest.mark.parametrize("name", ["max", "attention", "set_transformer"])
def test_pooling_passes_layer_checks(name, tmp_path):
    keras.utils.set_random_seed(1)
    graph = {**GRAPH, "node_mask": NODE_MASK}
    masks = {("graph", "node_mask"): ("graph", "node_features")}
    run_layer_checks(
        POOLINGS[name].make,
        {"graph": graph},
        masks,
        # Softmax is invariant to the biases of the scores and of the keys.
        without_gradient=("score/bias", "key/bias"),
        folder=tmp_path,
        learns=name != "max",
    )


def test_attention_weights_sum_to_one():
    layer = make_layer("attention")
    graph = {**GRAPH, "node_mask": NODE_MASK}
    pooled, weights = layer(graph, return_attention_scores=True)
    weights = to_numpy(weights)
    assert (weights[~NODE_MASK] == 0).all()
    sums = np.zeros(4)
    np.add.at(sums, INDEX, weights)
    np.testing.assert_allclose(sums, [1, 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(to_numpy(pooled), to_numpy(layer(graph)), atol=1e-6)
    _, batch = layer({"node_features": np.ones((2, 4, DIM))}, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(batch), np.full((2, 4), 0.25), atol=1e-6)


def test_implicit_keras_mask():
    ids = np.array([[3, 1, 2, 0, 0]])
    x = keras.layers.Embedding(4, DIM, mask_zero=True)(ids)
    actual = GraphMeanPooling()({"node_features": x})
    np.testing.assert_allclose(to_numpy(actual), to_numpy(x)[:, :3].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (GRAPH["node_features"], "the graph must be a dict"),
        ({"graph_index": INDEX}, "a graph must have 'node_features'"),
        ({**GRAPH, "graph_index": INDEX[:5]}, "'graph_index' must have length 9"),
        ({**GRAPH, "graph_index": INDEX - 1}, r"`graph_index` must be in \[0, 4\).*Received: -1"),
        ({**GRAPH, "graph_index": INDEX + 1}, r"`graph_index` must be in \[0, 4\).*Received: 4"),
        ({**GRAPH, "graph_index": INDEX * 1.0}, "'graph_index' must be of integers"),
        ({"node_features": np.ones((2, 9, 5)), "graph_index": INDEX}, "'graph_index' belongs to"),
    ],
)
def test_invalid_graphs_raise(graph, message):
    with pytest.raises(ValueError, match=f"GraphMaxPooling: .*{message}"):
        GraphMaxPooling()(graph)
    layer = GraphMaxPooling()
    layer(GRAPH)
    with pytest.raises(ValueError, match=f"GraphMaxPooling: .*{message}"):
        layer(graph)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="`num_heads` must divide `units`"):
        SetTransformerPooling(6, num_heads=4)
    with pytest.raises(NotImplementedError, match="GraphPooling must implement `pool`"):
        GraphPooling()(GRAPH)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_number_of_graphs_in_compiled_functions():
    inputs = {
        "node_features": keras.Input((DIM,), name="node_features"),
        "graph_index": keras.Input((), dtype="int32", name="graph_index"),
    }
    model = keras.Model(inputs, GraphSumPooling()(inputs))
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError, match="Give the graph a 'graph_mask'"):
            model.predict({key: GRAPH[key] for key in inputs}, batch_size=9, verbose=0)
        return
    actual = model.predict({key: GRAPH[key] for key in inputs}, batch_size=9, verbose=0)
    np.testing.assert_allclose(actual, to_numpy(GraphSumPooling()(GRAPH)), atol=1e-6)


def select_top_k(layer, graph, index, real):
    """Selects the unmasked nodes of each graph with the highest scores."""
    x = np.float64(graph["node_features"])
    direction = np.float64(to_numpy(layer.projection))[:, 0]
    score = x @ direction / np.linalg.norm(direction)
    keep = np.zeros(len(x), bool)
    for each in np.unique(index):
        nodes = np.flatnonzero((index == each) & real)
        number = layer.ratio
        if isinstance(layer.ratio, float):
            number = int(np.ceil(layer.ratio * len(nodes)))
        keep[nodes[np.argsort(-score[nodes])][:number]] = True
    return keep, x * np.tanh(score)[:, None] * keep[:, None]


@pytest.mark.parametrize("ratio", [0.5, 1, 2, 1.0])
def test_top_k_matches_reference(ratio):
    graph = {**random_graph(nodes=9, dim=DIM), "graph_index": INDEX, "node_mask": NODE_MASK}
    layer = randomize(TopKPooling(ratio), graph)
    keep, features = select_top_k(layer, graph, INDEX, NODE_MASK)
    actual = layer(graph)
    np.testing.assert_array_equal(to_numpy(actual["node_mask"]), keep)
    np.testing.assert_allclose(to_numpy(actual["node_features"]), features, atol=1e-5)
    assert set(actual) == set(graph)
    np.testing.assert_array_equal(to_numpy(actual["edge_index"]), graph["edge_index"])
    # Pooling ignores the nodes that were not kept.
    expected = [features[keep & (each == INDEX)].sum(axis=0) for each in range(4)]
    np.testing.assert_allclose(to_numpy(GraphSumPooling()(actual)), expected, atol=1e-5)


def test_top_k_of_dense_graphs_matches_reference():
    graph = as_dense(random_graph(nodes=9, dim=DIM))
    graph["node_mask"] = NODE_MASK[None]
    layer = randomize(TopKPooling(0.5), graph)
    flat = {"node_features": graph["node_features"][0]}
    keep, features = select_top_k(layer, flat, np.zeros(9), NODE_MASK)
    actual = layer(graph)
    np.testing.assert_array_equal(to_numpy(actual["node_mask"])[0], keep)
    np.testing.assert_allclose(to_numpy(actual["node_features"])[0], features, atol=1e-5)


def test_top_k_passes_layer_checks(tmp_path):
    graph = {**random_graph(nodes=9, dim=DIM), "graph_index": INDEX, "node_mask": NODE_MASK}
    keras.utils.set_random_seed(1)
    run_layer_checks(
        TopKPooling,
        {"graph": graph},
        {("graph", "node_mask"): ("graph", "node_features")},
        folder=tmp_path,
        learns=False,
    )


def test_top_k_projection_learns():
    graph = {**random_graph(nodes=9, dim=DIM), "graph_index": INDEX, "graph_mask": np.ones(4, bool)}
    inputs = {
        key: keras.Input(value.shape[1:], dtype=str(value.dtype), name=key)
        for key, value in graph.items()
    }
    layer = TopKPooling(0.5)
    model = keras.Model(inputs, GraphSumPooling()(layer(inputs)))
    model.compile("sgd", "mse")
    before = to_numpy(layer.projection)
    batches = ((graph, np.ones((4, DIM))) for _ in range(2))
    model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)
    assert np.abs(to_numpy(layer.projection) - before).max() > 1e-5


@pytest.mark.parametrize("ratio", [0, 1.5, True, -1, "half"])
def test_invalid_ratios_raise(ratio):
    with pytest.raises(ValueError, match="TopKPooling: `ratio` must be a float in"):
        TopKPooling(ratio)

"""The order of edges, and what the sums that use it give."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.graph import (
    EdgeDropout,
    GCNLayer,
    SparseDense,
    edge_list,
    normalize_graph,
    order_edges,
)

TENSORFLOW = keras.config.backend() == "tensorflow"
used = pytest.mark.skipif(TENSORFLOW, reason="TensorFlow's sums use no order.")

NODES, EDGES, DIM = 7, 30, 5
RNG = np.random.default_rng(0)
INDEX = RNG.integers(0, NODES, (2, EDGES)).astype("int32")  # In no order, some of them twice.
X = RNG.normal(size=(NODES, DIM)).astype("float32")
WEIGHT = RNG.random(EDGES).astype("float32")
GRAPH = {"node_features": X, "edge_index": INDEX}


def tensors(graph):
    return {key: ops.convert_to_tensor(x) for key, x in graph.items()}


def without_order(graph):
    return {key: x for key, x in graph.items() if key != "edge_order"}


def outputs_and_slopes(layer, graph, name):
    """What the layer gives, and the gradient of the sum of its squares by a tensor of the graph."""

    def loss(x):
        return ops.sum(layer({**graph, name: x}) ** 2)

    x, backend = ops.convert_to_tensor(graph[name]), keras.config.backend()
    outputs = ops.convert_to_numpy(layer(graph))
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return outputs, tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        return outputs, np.asarray(jax.grad(loss)(x))
    import torch

    x = x.detach().requires_grad_()
    return outputs, torch.autograd.grad(loss(x), x)[0].numpy()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_it_sorts_and_keeps_equal_ones_as_they_were(dtype):
    order = ops.convert_to_numpy(order_edges(INDEX.astype(dtype)))
    assert order.dtype == "int32"
    np.testing.assert_array_equal(order, np.argsort(INDEX, axis=1, kind="stable"))


def test_no_edges():
    assert tuple(order_edges(INDEX[:, :0]).shape) == (2, 0)
    graph = normalize_graph({**GRAPH, "edge_index": INDEX[:, :0]})
    found = ops.convert_to_numpy(GCNLayer(use_bias=False)(graph))
    np.testing.assert_allclose(found, X, atol=1e-6)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"edge_weight": WEIGHT},
        {"node_mask": np.arange(NODES) != 3},
        {"edge_mask": WEIGHT > 0.3, "edge_weight": WEIGHT},
        {"target_features": X[:, :2]},
    ],
    ids=lambda more: "-".join(more) or "plain",
)
def test_outputs_and_slopes_are_as_without(more):
    layer = GCNLayer(3)
    graph = normalize_graph({**GRAPH, **more})
    assert ("edge_order" in graph) == ("edge_mask" not in more and not TENSORFLOW)
    graph["edge_order"] = order_edges(INDEX)
    found = outputs_and_slopes(layer, graph, "node_features")
    expected = outputs_and_slopes(layer, without_order(graph), "node_features")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@used
@pytest.mark.parametrize("more", [{}, {"edge_weight": WEIGHT}], ids=["ones", "weights"])
def test_no_edge_makes_a_message(more, monkeypatch):
    graph = normalize_graph({**GRAPH, **more})
    monkeypatch.setattr(edge_list, "segment_sum", None)
    assert GCNLayer(3)(graph).shape == (NODES, 3)


@used
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_of_16_bit_numbers_lose_no_row(dtype):
    edges = 4096  # In 16 bits, a sum of ones stands still at 256 or at 2,048.
    x, index = ops.ones((1, 2), dtype), ops.zeros((2, edges), "int32")
    found = GCNLayer(use_bias=False, self_loops=False, dtype=dtype)(
        {
            "node_features": x,
            "edge_index": index,
            "edge_order": order_edges(index),
            "source_scale": ops.ones(1),
        }
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(found, "float32")), edges)


def test_weights_of_edges_learn_as_without():
    layer = GCNLayer(3)
    graph = normalize_graph({**GRAPH, "edge_weight": WEIGHT})
    _, found = outputs_and_slopes(layer, graph, "edge_weight")
    _, expected = outputs_and_slopes(layer, without_order(graph), "edge_weight")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_transform_of_the_graph_leaves_no_wrong_order():
    graph = {**normalize_graph(GRAPH), "edge_order": order_edges(INDEX)}
    dropped = EdgeDropout(0.5, seed=1)(graph, training=True)
    layer = GCNLayer(3)
    found = ops.convert_to_numpy(layer(dropped))
    expected = ops.convert_to_numpy(layer(without_order(dropped)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_entries_of_a_matrix():
    dense = np.where(RNG.random((6, 4)) < 0.5, RNG.normal(size=(6, 4)), 0).astype("float32")
    index = np.stack(dense.nonzero()).astype("int32")
    layer = SparseDense(3, input_dim=4)
    found = layer(index, dense[dense.nonzero()], num_rows=6, order=order_edges(index))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), dense @ ops.convert_to_numpy(layer.kernel), atol=1e-5
    )


WRONG = {
    "of other edges": np.argsort(INDEX[:, ::-1], axis=1, kind="stable"),
    "with one edge twice": np.zeros_like(INDEX),
    "rows changed": np.argsort(INDEX, axis=1, kind="stable")[::-1],
}


@used
@pytest.mark.parametrize("order", WRONG.values(), ids=WRONG.keys())
def test_an_order_of_other_edges_is_an_error(order):
    graph = {**GRAPH, "edge_order": order.astype("int32")}
    with pytest.raises(ValueError, match="GCNLayer: 'edge_order' must sort the edges"):
        GCNLayer(3)(tensors(graph))
    normalize_graph(graph)  # Makes it anew.


@used
def test_an_order_out_of_range_is_an_error():
    order = np.full_like(INDEX, EDGES)
    with pytest.raises(ValueError, match=r"`edge_order` must be in \[0, 30\)"):
        GCNLayer(3)(tensors({**GRAPH, "edge_order": order}))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"edge_order": INDEX[:, 1:]}, "'edge_order' must have the length 30"),
        ({"edge_order": INDEX[0]}, "'edge_order' must have 2 axes"),
        ({"edge_order": WEIGHT[None].repeat(2, 0)}, "'edge_order' must be of integers"),
    ],
)
def test_shapes_and_dtypes(wrong, message):
    with pytest.raises(ValueError, match=message):
        GCNLayer(3)(tensors({**GRAPH, **wrong}))


def test_dense_graphs_have_none():
    dense = {"node_features": X[None], "adjacency": np.ones((1, NODES, NODES), "float32")}
    assert "edge_order" not in normalize_graph(dense)
    with pytest.raises(ValueError, match="'edge_order' belongs to an 'edge_index'"):
        GCNLayer(3)(tensors({**dense, "edge_order": INDEX}))


@pytest.mark.skipif(keras.config.backend() != "jax", reason="JAX compiles sums with an order.")
@pytest.mark.parametrize("right", [True, False])
def test_in_a_compiled_function_a_wrong_order_gives_nan(right):
    layer = GCNLayer(3)
    graph = tensors(normalize_graph(GRAPH))
    expected = ops.convert_to_numpy(layer(graph))
    if not right:
        graph["edge_order"] = ops.flip(graph["edge_order"], axis=0)
    import jax

    output = np.asarray(jax.jit(lambda graph: layer(graph))(graph))
    if right:
        np.testing.assert_allclose(output, expected, atol=1e-6)
    else:
        assert np.isnan(output).all()

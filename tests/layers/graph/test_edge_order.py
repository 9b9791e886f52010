"""Tests of `order_edges` and of sums over edges that use it."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.graph import (
    EdgeDropout,
    GCNLayer,
    SparseDense,
    normalize_graph,
    order_edges,
)
from keras_mmfusion.layers.graph.core import edge_list

TENSORFLOW = keras.config.backend() == "tensorflow"
uses_order = pytest.mark.skipif(TENSORFLOW, reason="TensorFlow does not use an order")

NODES, EDGES, DIM = 7, 30, 5
RNG = np.random.default_rng(0)
INDEX = RNG.integers(0, NODES, (2, EDGES)).astype("int32")  # Unsorted, with duplicates.
X = RNG.normal(size=(NODES, DIM)).astype("float32")
WEIGHT = RNG.random(EDGES).astype("float32")
GRAPH = {"node_features": X, "edge_index": INDEX}


def convert_to_tensors(graph):
    return {key: ops.convert_to_tensor(x) for key, x in graph.items()}


def remove_order(graph):
    return {key: x for key, x in graph.items() if key != "edge_order"}


def compute_outputs_and_gradients(layer, graph, name):
    """Returns a layer's outputs, and the gradient of their squared sum by an entry of the graph."""

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
def test_order_edges_is_a_stable_sort(dtype):
    order = ops.convert_to_numpy(order_edges(INDEX.astype(dtype)))
    assert order.dtype == "int32"
    np.testing.assert_array_equal(order, np.argsort(INDEX, axis=1, kind="stable"))


def test_order_of_an_empty_edge_list():
    assert tuple(order_edges(INDEX[:, :0]).shape) == (2, 0)
    graph = normalize_graph({**GRAPH, "edge_index": INDEX[:, :0]})
    actual = ops.convert_to_numpy(GCNLayer(use_bias=False)(graph))
    np.testing.assert_allclose(actual, X, atol=1e-6)


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"edge_weight": WEIGHT},
        {"node_mask": np.arange(NODES) != 3},
        {"edge_mask": WEIGHT > 0.3, "edge_weight": WEIGHT},
        {"target_features": X[:, :2]},
    ],
    ids=lambda entries: "-".join(entries) or "plain",
)
def test_order_does_not_change_outputs_and_gradients(entries):
    layer = GCNLayer(3)
    graph = normalize_graph({**GRAPH, **entries})
    assert ("edge_order" in graph) == ("edge_mask" not in entries and not TENSORFLOW)
    graph["edge_order"] = order_edges(INDEX)
    actual = compute_outputs_and_gradients(layer, graph, "node_features")
    expected = compute_outputs_and_gradients(layer, remove_order(graph), "node_features")
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@uses_order
@pytest.mark.parametrize("weights", [{}, {"edge_weight": WEIGHT}], ids=["ones", "weights"])
def test_order_avoids_messages(weights, monkeypatch):
    graph = normalize_graph({**GRAPH, **weights})
    monkeypatch.setattr(edge_list, "segment_sum", None)
    assert GCNLayer(3)(graph).shape == (NODES, 3)


@uses_order
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_sums_are_accumulated_in_float32(dtype):
    edges = 4096  # 16-bit sums of ones saturate at 256 or 2,048.
    x, index = ops.ones((1, 2), dtype), ops.zeros((2, edges), "int32")
    actual = GCNLayer(use_bias=False, self_loops=False, dtype=dtype)(
        {
            "node_features": x,
            "edge_index": index,
            "edge_order": order_edges(index),
            "source_scale": ops.ones(1),
        }
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(actual, "float32")), edges)


def test_order_does_not_change_edge_weight_gradients():
    layer = GCNLayer(3)
    graph = normalize_graph({**GRAPH, "edge_weight": WEIGHT})
    _, actual = compute_outputs_and_gradients(layer, graph, "edge_weight")
    _, expected = compute_outputs_and_gradients(layer, remove_order(graph), "edge_weight")
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_order_stays_valid_after_edge_dropout():
    graph = {**normalize_graph(GRAPH), "edge_order": order_edges(INDEX)}
    dropped = EdgeDropout(0.5, seed=1)(graph, training=True)
    layer = GCNLayer(3)
    actual = ops.convert_to_numpy(layer(dropped))
    expected = ops.convert_to_numpy(layer(remove_order(dropped)))
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_sparse_dense_with_order():
    dense = np.where(RNG.random((6, 4)) < 0.5, RNG.normal(size=(6, 4)), 0).astype("float32")
    index = np.stack(dense.nonzero()).astype("int32")
    layer = SparseDense(3, input_dim=4)
    actual = layer(index, dense[dense.nonzero()], num_rows=6, order=order_edges(index))
    np.testing.assert_allclose(
        ops.convert_to_numpy(actual), dense @ ops.convert_to_numpy(layer.kernel), atol=1e-5
    )


INVALID = {
    "other edges": np.argsort(INDEX[:, ::-1], axis=1, kind="stable"),
    "duplicate edge": np.zeros_like(INDEX),
    "swapped rows": np.argsort(INDEX, axis=1, kind="stable")[::-1],
}


@uses_order
@pytest.mark.parametrize("order", INVALID.values(), ids=INVALID.keys())
def test_order_of_other_edges_raises(order):
    graph = {**GRAPH, "edge_order": order.astype("int32")}
    with pytest.raises(ValueError, match="GCNLayer: 'edge_order' must sort the edges"):
        GCNLayer(3)(convert_to_tensors(graph))
    normalize_graph(graph)  # Computes a new order.


@uses_order
def test_order_out_of_range_raises():
    order = np.full_like(INDEX, EDGES)
    with pytest.raises(ValueError, match=r"`edge_order` must be in \[0, 30\)"):
        GCNLayer(3)(convert_to_tensors({**GRAPH, "edge_order": order}))


@pytest.mark.parametrize(
    "invalid, message",
    [
        ({"edge_order": INDEX[:, 1:]}, "'edge_order' must have length 30"),
        ({"edge_order": INDEX[0]}, "'edge_order' must have 2 axes"),
        ({"edge_order": WEIGHT[None].repeat(2, 0)}, "'edge_order' must be of integers"),
    ],
)
def test_order_of_invalid_shape_or_dtype_raises(invalid, message):
    with pytest.raises(ValueError, match=message):
        GCNLayer(3)(convert_to_tensors({**GRAPH, **invalid}))


def test_dense_graph_with_order_raises():
    dense = {"node_features": X[None], "adjacency": np.ones((1, NODES, NODES), "float32")}
    assert "edge_order" not in normalize_graph(dense)
    with pytest.raises(ValueError, match="'edge_order' belongs to an 'edge_index'"):
        GCNLayer(3)(convert_to_tensors({**dense, "edge_order": INDEX}))


@pytest.mark.skipif(keras.config.backend() != "jax", reason="only JAX compiles sums with an order")
@pytest.mark.parametrize("valid", [True, False])
def test_compiled_function_returns_nan_for_invalid_order(valid):
    layer = GCNLayer(3)
    graph = convert_to_tensors(normalize_graph(GRAPH))
    expected = ops.convert_to_numpy(layer(graph))
    if not valid:
        graph["edge_order"] = ops.flip(graph["edge_order"], axis=0)
    import jax

    output = np.asarray(jax.jit(lambda graph: layer(graph))(graph))
    if valid:
        np.testing.assert_allclose(output, expected, atol=1e-6)
    else:
        assert np.isnan(output).all()

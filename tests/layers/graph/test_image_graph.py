"""Tests of `ImageGraph` against NumPy."""

from math import erf

import numpy as np
import pytest
from graph_references import apply_dense
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import ImageGraph
from keras_mmfusion.layers.graph.core.similar_nodes import find_similar_nodes

TOKENS = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")


def make(**settings):
    return ImageGraph(**{"dim": 4, "neighbors": 2, "grid": (2, 3), **settings})


def normalize(layer, x):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * np.float64(to_numpy(layer.gamma)) + np.float64(to_numpy(layer.beta))


def find_nearest(x, neighbors):
    """Returns whether token `j` is among the nearest of token `i`: bool `(tokens, tokens)`."""
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    near = np.zeros((len(x), len(x)), "bool")
    for i in range(len(x)):
        similarity = unit @ unit[i]
        similarity[i] = -2
        near[i, np.argsort(-similarity)[:neighbors]] = True
    return near


def compute_reference(layer, tokens):
    """Computes the layer's output for one image."""
    height, width = layer.grid
    x = np.float64(tokens)
    near = find_nearest(x, layer.neighbors)
    adjacency = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        for j in range(len(x)):
            distance = np.abs(np.subtract(divmod(i, width), divmod(j, width))).max()
            if distance <= 1 or near[i, j] or near[j, i]:
                adjacency[i, j] = 1
    degree = adjacency.sum(axis=1)
    adjacency /= np.sqrt(np.outer(degree, degree))
    h = apply_dense(layer.projection, x)
    for norm, convolution in zip(layer.norms, layer.convolutions, strict=True):
        kernel = np.float64(to_numpy(convolution.projection.kernel))
        update = adjacency @ normalize(norm, h) @ kernel
        update += np.float64(to_numpy(convolution.bias))
        h = h + update * (1 + np.vectorize(erf)(update / np.sqrt(2))) / 2
    return normalize(layer.final_norm, h)


@pytest.mark.parametrize("neighbors", [0, 1, 2])
def test_layer_matches_reference(neighbors):
    layer = make(neighbors=neighbors)
    layer.build(TOKENS.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    expected = [compute_reference(layer, tokens) for tokens in TOKENS]
    np.testing.assert_allclose(to_numpy(layer(TOKENS)), expected, atol=5e-4)


def test_layer_passes_layer_checks(tmp_path):
    run_layer_checks(lambda **kw: make(**kw), {"tokens": TOKENS}, folder=tmp_path)


def test_grid_defaults_to_a_square():
    layer = ImageGraph(4, num_layers=1, neighbors=0)
    assert tuple(layer(np.ones((1, 9, 2), "float32")).shape) == (1, 9, 4)
    assert layer.grid_adjacency.sum(axis=1).tolist() == [3, 5, 3, 5, 8, 5, 3, 5, 3]


def test_dropout_is_only_active_in_training():
    layer = make(dropout=0.5)
    one, other = (to_numpy(layer(TOKENS)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(TOKENS, training=True)) - one).max() > 0.1


def test_similar_nodes_with_ties_and_missing_nodes():
    sources = np.array([[[1, 0], [1, 1], [2, 2], [0, 1]]], "float32")
    targets = np.array([[[1, 1], [0, 3]]], "float32")
    actual = to_numpy(find_similar_nodes(targets, sources, 1))
    np.testing.assert_array_equal(actual, [[[0, 1, 1, 0], [0, 0, 0, 1]]])
    mask = np.array([[True, False, True, False]])
    actual = to_numpy(find_similar_nodes(targets, sources, 1, mask))
    np.testing.assert_array_equal(actual, [[[0, 0, 1, 0], [0, 0, 1, 0]]])
    actual = to_numpy(find_similar_nodes(targets, sources, 9, mask))
    np.testing.assert_array_equal(actual, [[[1, 0, 1, 0]] * 2])
    actual = to_numpy(find_similar_nodes(sources, sources, 1, loops=False))
    np.testing.assert_array_equal(actual[0, 1], [0, 0, 1, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ImageGraph(0), "`dim` must be a positive integer"),
        (lambda: ImageGraph(4, neighbors=-1), "`neighbors` must be a positive integer"),
        (lambda: ImageGraph(4, grid=(2, 0)), "`grid` must be two positive ints"),
        (lambda: ImageGraph(4, dropout=1), r"`dropout` must be in \[0, 1\)"),
        (lambda: ImageGraph(4)(TOKENS), "with the height and width of `grid`, or of a square"),
        (lambda: make(grid=(2, 2))(TOKENS), r"Received: grid=\(2, 2\)"),
    ],
)
def test_invalid_arguments_raise(call, message):
    with pytest.raises(ValueError, match=f"ImageGraph.*{message}"):
        call()

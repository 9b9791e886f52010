import keras
import numpy as np
import pytest
from graph_references import randomize
from layer_checks import to_numpy

from keras_mmfusion.layers.graph import GATLayer, SparseDense

RNG = np.random.default_rng(0)
X = np.where(RNG.random((6, 8)) < 0.3, RNG.normal(size=(6, 8)), 0).astype("float32")
INDEX, VALUES = np.stack(X.nonzero()).astype("int32"), X[X.nonzero()]


def make(**settings):
    layer = SparseDense(4, input_dim=8, **settings)
    layer(INDEX, VALUES, num_rows=6)
    for weight in layer.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


def test_layer_matches_reference():
    layer = make(activation="relu")
    kernel, bias = (np.float64(to_numpy(weight)) for weight in (layer.kernel, layer.bias))
    actual = to_numpy(layer(INDEX, VALUES, num_rows=6))
    np.testing.assert_allclose(actual, np.maximum(X @ kernel + bias, 0), atol=1e-5)
    none = to_numpy(layer(INDEX[:, :0], VALUES[:0], num_rows=6))
    np.testing.assert_allclose(none, np.maximum(bias, 0) * np.ones((6, 1)), atol=1e-5)


def test_dropout_preserves_the_mean():
    layer = make(dropout=0.5, seed=0, use_bias=False)
    expected = to_numpy(layer(INDEX, VALUES, num_rows=6))
    samples = [to_numpy(layer(INDEX, VALUES, num_rows=6, training=True)) for _ in range(200)]
    np.testing.assert_allclose(np.mean(samples, axis=0), expected, atol=0.7)
    assert np.std(samples, axis=0).max() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_precision_and_config(dtype):
    layer = make(dtype=dtype, kernel_regularizer="l2")
    clone = SparseDense.from_config(layer.get_config())
    assert clone.get_config() == layer.get_config()
    clone(INDEX, VALUES, num_rows=6)
    clone.set_weights(layer.get_weights())
    actual = clone(INDEX, VALUES, num_rows=6)
    assert keras.backend.standardize_dtype(actual.dtype) == layer.compute_dtype
    exact = X @ to_numpy(layer.kernel) + to_numpy(layer.bias)
    np.testing.assert_allclose(to_numpy(actual), exact, atol=0.1 if dtype != "float32" else 1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 8), "`units` must be a positive integer"),
        ((4, 1.5), "`input_dim` must be a positive integer"),
        ((4, 8, None, 1.0), r"`dropout` must be in \[0, 1\)"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=f"SparseDense: {message}"):
        SparseDense(*arguments)


def test_gat_layer_on_projected_features():
    graph = {"node_features": X, "edge_index": np.array([[0, 1, 2, 3], [1, 2, 0, 0]])}
    full = randomize(GATLayer(3, num_heads=2), graph)
    part = GATLayer(3, num_heads=2, project=False)
    projected = {**graph, "node_features": to_numpy(full.source_projection(X))}
    part(projected)
    part.set_weights(full.get_weights()[:3])
    assert [w.name for w in full.weights][:3] == [w.name for w in part.weights]
    np.testing.assert_allclose(to_numpy(part(projected)), to_numpy(full(graph)), atol=1e-5)
    assert GATLayer.from_config(part.get_config()).get_config() == part.get_config()
    with pytest.raises(ValueError, match="with `project=False`, the features must have dim 6"):
        GATLayer(3, num_heads=2, project=False)(graph)

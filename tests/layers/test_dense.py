import keras
import numpy as np
import pytest

from keras_mmfusion.layers.dense import Dense

RNG = np.random.default_rng(0)


def make_pair(**settings):
    """The layer and `keras.layers.Dense` with the same weights."""
    layers = Dense(4, **settings), keras.layers.Dense(4, **settings)
    weights = [RNG.normal(size=(3, 4)), RNG.normal(size=4)]
    for layer in layers:
        layer.build((None, 3))
        layer.set_weights(weights[: len(layer.weights)])
    return layers


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("settings", [{}, {"use_bias": False}, {"activation": "gelu"}])
def test_dense_matches_keras(shape, settings):
    x = keras.ops.convert_to_tensor(RNG.normal(size=shape), "float32")
    layer, reference = make_pair(**settings)
    output = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(output, keras.ops.convert_to_numpy(reference(x)), atol=1e-6)
    assert layer(keras.KerasTensor((None, 3))).shape == (None, 4)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_matches_keras_in_mixed_precision(policy, use_bias):
    layer, reference = make_pair(dtype=policy, use_bias=use_bias)
    floats = RNG.normal(size=(2, 3)).astype("float32")
    for x in (floats, keras.ops.cast(floats, layer.compute_dtype)):
        output, expected = layer(x), reference(x)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        output, expected = (
            keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")) for y in (output, expected)
        )
        np.testing.assert_allclose(output, expected, rtol=1e-2, atol=1e-2)


def test_dense_matches_keras_with_lora_and_int8():
    x = RNG.normal(size=(6, 3)).astype("float32")
    for change in (lambda layer: layer.enable_lora(2), lambda layer: layer.quantize("int8")):
        layer, reference = make_pair()
        change(layer)
        change(reference)
        for weight, expected in zip(layer.weights, reference.weights, strict=True):
            weight.assign(expected.value)
        if layer.lora_enabled:
            layer.lora_kernel_b.assign(np.ones((2, 4)))
            reference.lora_kernel_b.assign(np.ones((2, 4)))
        output = keras.ops.convert_to_numpy(layer(x))
        np.testing.assert_allclose(output, keras.ops.convert_to_numpy(reference(x)), atol=1e-6)


def test_input_of_another_size_raises():
    layer, _ = make_pair()
    with pytest.raises((ValueError, RuntimeError)):
        layer(np.ones((2, 5), "float32"))

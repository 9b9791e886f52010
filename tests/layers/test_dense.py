import keras
import numpy as np
import pytest

from keras_mmfusion.layers.dense import Dense

RNG = np.random.default_rng(0)


def pair(**settings):
    """The layer and Keras's own, with the same weights."""
    layers = Dense(4, **settings), keras.layers.Dense(4, **settings)
    weights = [RNG.normal(size=(3, 4)), RNG.normal(size=4)]
    for layer in layers:
        layer.build((None, 3))
        layer.set_weights(weights[: len(layer.weights)])
    return layers


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("settings", [{}, {"use_bias": False}, {"activation": "gelu"}])
def test_what_keras_gives(shape, settings):
    x = keras.ops.convert_to_tensor(RNG.normal(size=shape), "float32")
    ours, theirs = pair(**settings)
    found = keras.ops.convert_to_numpy(ours(x))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(theirs(x)), atol=1e-6)
    assert ours(keras.KerasTensor((None, 3))).shape == (None, 4)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dtypes(policy, use_bias):
    ours, theirs = pair(dtype=policy, use_bias=use_bias)
    floats = RNG.normal(size=(2, 3)).astype("float32")
    for x in (floats, keras.ops.cast(floats, ours.compute_dtype)):
        found, expected = ours(x), theirs(x)
        assert keras.backend.standardize_dtype(found.dtype) == ours.compute_dtype
        found, expected = (
            keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")) for y in (found, expected)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


def test_low_rank_and_int8():
    x = RNG.normal(size=(6, 3)).astype("float32")
    for change in (lambda layer: layer.enable_lora(2), lambda layer: layer.quantize("int8")):
        ours, theirs = pair()
        for layer in (ours, theirs):
            change(layer)
        for mine, other in zip(ours.weights, theirs.weights, strict=True):
            mine.assign(other.value)
        if ours.lora_enabled:
            ours.lora_kernel_b.assign(np.ones((2, 4)))
            theirs.lora_kernel_b.assign(np.ones((2, 4)))
        found = keras.ops.convert_to_numpy(ours(x))
        np.testing.assert_allclose(found, keras.ops.convert_to_numpy(theirs(x)), atol=1e-6)


def test_a_wrong_size():
    ours, _ = pair()
    with pytest.raises((ValueError, RuntimeError)):
        ours(np.ones((2, 5), "float32"))

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.layers.dropout import Dropout

ONES = np.ones((30, 401), "float32")


def drop(layer, x=ONES, training=True):
    return to_numpy(layer(keras.ops.convert_to_tensor(x), training=training))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.999, 1 - 2**-20])
def test_values_are_dropped_at_the_rate_and_rescaled(rate):
    output = drop(Dropout(rate, seed=1))
    kept = output != 0
    np.testing.assert_allclose(output[kept], 1 / (1 - rate), rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate) / ONES.size)
    assert abs(np.mean(~kept) - rate) < 4 * deviation


def test_neighboring_values_are_dropped_independently():
    kept = drop(Dropout(0.5, seed=2)) != 0
    for shift in range(1, 9):  # four values share one random number
        agreement = np.mean(kept[:, shift:] == kept[:, :-shift])
        assert abs(agreement - 0.5) < 0.02


def test_draws_depend_only_on_the_seed_generator():
    layer = Dropout(0.5, seed=3)
    state = np.array(to_numpy(layer.seed_generator.state))
    first, second = drop(layer), drop(layer)
    assert (first != second).any()
    layer.seed_generator.state.assign(state)
    np.testing.assert_array_equal(drop(layer), first)
    np.testing.assert_array_equal(drop(layer), second)
    assert (drop(Dropout(0.5, seed=4)) != first).any()


def test_nothing_is_dropped_at_rate_zero_or_outside_of_training():
    np.testing.assert_array_equal(drop(Dropout(0.0)), ONES)
    np.testing.assert_array_equal(drop(Dropout(0.5), training=False), ONES)


def test_noise_shape_and_output_shapes():
    rows = drop(Dropout(0.5, noise_shape=(None, 1), seed=5))
    assert (rows == rows[:, :1]).all() and {0.0, 2.0} == set(rows.ravel())
    for shape in [(0, 3), (1,), (2, 3, 5)]:
        assert drop(Dropout(0.5), np.ones(shape, "float32")).shape == shape
    assert Dropout(0.5)(keras.KerasTensor((None, 3))).shape == (None, 3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_output_dtype(dtype):
    x = keras.ops.ones((4, 50), dtype)
    y = Dropout(0.5, seed=6, dtype=dtype)(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert set(to_numpy(keras.ops.cast(y, "float32")).ravel()) == {0.0, 2.0}

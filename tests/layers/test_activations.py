import math

import keras
import numpy as np
import pytest

from keras_mmfusion.layers.activations import get_activation

X = np.linspace(-6, 6, 49)
EXPECTED = {
    "gelu": X * (1 + np.vectorize(math.erf)(X / 2**0.5)) / 2,
    "gelu_tanh": X * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X**3))) / 2,
    "quick_gelu": X / (1 + np.exp(-1.702 * X)),
    "relu": np.maximum(X, 0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_activations_match_their_formulas(name):
    values = get_activation(name)(keras.ops.convert_to_tensor(X.astype("float32")))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(values), EXPECTED[name], atol=1e-6)


def test_unknown_activation_raises():
    with pytest.raises(ValueError, match="`activation` must be one of 'gelu', .*'swish'"):
        get_activation("swish")

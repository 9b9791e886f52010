"""Connectors of encoders and language models."""

import math

import numpy as np
import pytest
from layer_checks import call_layer, run_layer_checks

from keras_mmfusion.layers import MLPConnector, PixelShuffleConnector

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(2, 8, 3)).astype("float32")
LAYERS = {
    "mlp": lambda **settings: MLPConnector(5, hidden_dim=4, **settings),
    "pixel_shuffle": lambda **settings: PixelShuffleConnector(5, grid=(4, 2), **settings),
}


def compute_mlp(tokens, kernel_1, bias_1, kernel_2, bias_2):
    hidden = tokens @ kernel_1 + bias_1
    gelu = np.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)
    return gelu(hidden) @ kernel_2 + bias_2


def compute_pixel_shuffle(tokens, kernel):
    """Squares of two by two in a grid of four rows and two columns."""
    squares = [(0, 1, 2, 3), (4, 5, 6, 7)]
    joined = [np.concatenate([tokens[:, i] for i in square], axis=-1) for square in squares]
    return np.stack(joined, axis=1) @ kernel


REFERENCES = {"mlp": compute_mlp, "pixel_shuffle": compute_pixel_shuffle}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_checks(name, tmp_path):
    run_layer_checks(LAYERS[name], {"tokens": TOKENS}, folder=tmp_path)


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_equal_the_formula(name):
    layer = LAYERS[name]()
    layer(TOKENS)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.get_weights()])
    weights = [weight.astype("float64") for weight in layer.get_weights()]
    expected = REFERENCES[name](TOKENS.astype("float64"), *weights)
    np.testing.assert_allclose(
        call_layer(layer, {"tokens": TOKENS})[0], expected, rtol=1e-5, atol=1e-5
    )


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="`output_dim` must be a positive integer"):
        MLPConnector(0)
    with pytest.raises(ValueError, match="tokens must form a `grid`.*8 tokens, grid=None"):
        PixelShuffleConnector(5)(TOKENS)
    with pytest.raises(ValueError, match="whose sides `scale_factor` divides"):
        PixelShuffleConnector(5, scale_factor=3, grid=(4, 2))(TOKENS)

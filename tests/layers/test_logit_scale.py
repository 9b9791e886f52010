import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import LogitScale

SIMILARITIES = np.random.default_rng(0).uniform(-1, 1, size=(4, 5)).astype("float32")


@pytest.mark.parametrize("bias", [None, -3.0])
def test_logits_match_numpy_reference(bias):
    layer = LogitScale(temperature=0.2, bias=bias)
    expected = np.float64(SIMILARITIES) / 0.2 + (bias or 0)
    np.testing.assert_allclose(to_numpy(layer(SIMILARITIES)), expected, rtol=1e-5)


@pytest.mark.parametrize("bias", [None, -3.0])
def test_logit_scale_passes_the_layer_checks(bias, tmp_path):
    run_layer_checks(
        lambda **kw: LogitScale(temperature=0.5, bias=bias, **kw),
        {"similarities": SIMILARITIES},
        folder=tmp_path,
    )


def test_scale_is_bounded():
    layer = LogitScale(temperature=0.001, largest_scale=100)
    np.testing.assert_allclose(to_numpy(layer(SIMILARITIES)), 100 * SIMILARITIES, rtol=1e-5)


@pytest.mark.parametrize("argument", ["temperature", "largest_scale"])
@pytest.mark.parametrize("value", [0, -1, "high"])
def test_invalid_arguments_raise(argument, value):
    with pytest.raises(ValueError, match=f"LogitScale: `{argument}` must be a positive number"):
        LogitScale(**{argument: value})


def test_scale_without_a_bound():
    layer = LogitScale(temperature=0.001, largest_scale=None)
    np.testing.assert_allclose(to_numpy(layer(SIMILARITIES)), 1000 * SIMILARITIES, rtol=1e-5)

import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import AttentionPooling, PooledProjection

RNG = np.random.default_rng(0)
TOKENS = RNG.uniform(-1, 1, (3, 5, 8)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [1]])


@pytest.mark.parametrize("pooling, index", [("first", 0), ("last", -1)])
def test_projection_takes_one_token(pooling, index):
    layer = PooledProjection(4, pooling, use_bias=True)
    vectors = to_numpy(layer(TOKENS))
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(vectors, TOKENS[:, index] @ kernel + bias, atol=1e-6)


def test_last_token_is_before_the_padding():
    layer = PooledProjection(None, "last")
    np.testing.assert_array_equal(to_numpy(layer(TOKENS, mask=MASK)), TOKENS[range(3), [4, 2, 0]])


def test_projection_passes_the_layer_checks(tmp_path):
    run_layer_checks(
        lambda **kw: PooledProjection(4, "last", use_bias=True, **kw),
        {"inputs": TOKENS, "mask": MASK},
        {"mask": "inputs"},
        folder=tmp_path,
    )


def test_attention_pooling_passes_the_layer_checks(tmp_path):
    run_layer_checks(
        lambda **kw: AttentionPooling(2, 12, **kw),
        {"inputs": TOKENS, "mask": MASK},
        {"mask": "inputs"},
        without_gradient=("key/bias",),  # Softmax cancels it.
        folder=tmp_path,
    )


@pytest.mark.parametrize(
    "make_layer, message",
    [
        (lambda: PooledProjection(4, "mean"), "`pooling` must be one of 'first', 'last'"),
        (lambda: PooledProjection(0), "`output_dim` must be a positive integer"),
        (lambda: AttentionPooling(3, 12)(TOKENS), "`num_heads` must divide the dim"),
        (lambda: AttentionPooling(2, 12, "swish"), "`activation` must be one of"),
    ],
)
def test_invalid_arguments_raise(make_layer, message):
    with pytest.raises(ValueError, match=message):
        make_layer()

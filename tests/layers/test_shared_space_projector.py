import math

import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import SharedSpaceProjector

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(4, 5, 6)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [1], [0]])  # the last sample has no token


def make(shape=TOKENS.shape, **options):
    """A projector with weights far from zero."""
    layer = SharedSpaceProjector(**{"output_dim": 8, "num_heads": 2, **options})
    layer.build(shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


def norm(x, layer):
    gamma, beta = map(np.float64, layer.get_weights())
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + layer.epsilon) * gamma + beta


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def dense(x, layer):
    kernel, *bias = map(np.float64, layer.get_weights())
    return x @ kernel + (bias[0] if bias else 0)


def reference(layer, tokens, mask):
    """The docstring's formula, sample by sample and head by head."""
    rows, kernels = [], np.float64(to_numpy(layer.kernel))
    for x, token_mask in zip(np.float64(tokens), mask, strict=True):
        x = norm(x[token_mask], layer.token_norm)
        scores = np.exp(dense(x, layer.score_dense)) if layer.attends else np.ones((len(x), 2))
        parts = [
            (scores[:, [h]] / scores[:, h].sum() * x).sum(axis=0) @ kernels[h]
            if token_mask.any()
            else np.zeros(kernels.shape[-1])
            for h in range(layer.num_heads)
        ]
        rows.append(np.concatenate(parts))
    y = np.stack(rows) + np.float64(to_numpy(layer.bias))
    hidden = gelu(dense(norm(y, layer.output_norm), layer.hidden_dense))
    return y + dense(hidden, layer.output_dense)


def test_projector_matches_numpy_reference():
    layer = make()
    output = to_numpy(layer(TOKENS, mask=MASK))
    np.testing.assert_allclose(output, reference(layer, TOKENS, MASK), rtol=1e-4, atol=1e-4)


def test_projector_of_vectors_matches_numpy_reference():
    layer, mask = make(TOKENS[:, 0].shape), np.array([1, 1, 0, 1], "bool")
    output = to_numpy(layer(TOKENS[:, 0], mask=mask))
    expected = reference(layer, TOKENS[:, :1], mask[:, None])
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_projector_of_tokens_passes_the_layer_checks(tmp_path):
    run_layer_checks(
        lambda **kw: SharedSpaceProjector(8, num_heads=2, **kw),
        {"inputs": TOKENS, "mask": MASK},
        {"mask": "inputs"},
        folder=tmp_path,
    )


def test_projector_of_vectors_passes_the_layer_checks(tmp_path):
    run_layer_checks(
        lambda **kw: SharedSpaceProjector(8, num_heads=2, hidden_dim=5, dropout=0.1, **kw),
        {"inputs": TOKENS[:, 0]},
        folder=tmp_path,
    )


def test_new_projector_is_invariant_to_token_order():
    layer = SharedSpaceProjector(8)
    layer.build(TOKENS.shape)
    shuffled = TOKENS[:, ::-1]
    np.testing.assert_allclose(to_numpy(layer(shuffled)), to_numpy(layer(TOKENS)), atol=1e-5)


def test_dropout_is_active_only_in_training():
    layer = make(dropout=0.5)
    first, second = (to_numpy(layer(TOKENS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(to_numpy(layer(TOKENS, training=True)) - first).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_dim": 0}, "`output_dim` must be a positive integer"),
        ({"num_heads": 1.5}, "`num_heads` must be a positive integer"),
        ({"hidden_dim": -1}, "`hidden_dim` must be a positive integer"),
        ({"num_heads": 3}, "`num_heads` must divide `output_dim`"),
        ({"dropout": 1}, r"`dropout` must be in \[0, 1\)"),
    ],
)
def test_invalid_arguments_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SharedSpaceProjector(**{"output_dim": 8, **options})


def test_feature_map_raises():
    with pytest.raises(ValueError, match="must be tokens .* Flatten a feature map first"):
        SharedSpaceProjector(8)(np.ones((2, 3, 3, 4), "float32"))


def test_projector_of_tokens_accepts_vectors_and_masks_of_samples():
    tokens = np.random.default_rng(0).normal(size=(3, 3, 4)).astype("float32")
    vectors = tokens[:, 0]
    layer = SharedSpaceProjector(8, num_heads=2)
    layer(tokens)
    output = layer(vectors, mask=np.array([1, 0, 1]))
    expected = layer(vectors[:, None], mask=np.array([[True], [False], [True]]))
    np.testing.assert_allclose(to_numpy(output), to_numpy(expected), atol=1e-6)
    output = layer(tokens, mask=np.array([1, 0, 1]))
    expected = layer(tokens, mask=np.array([[True] * 3, [False] * 3, [True] * 3]))
    np.testing.assert_allclose(to_numpy(output), to_numpy(expected), atol=1e-6)


def test_projector_of_vectors_does_not_accept_tokens():
    layer = SharedSpaceProjector(8, num_heads=2)
    layer(TOKENS[:, 0])
    with pytest.raises(ValueError, match="was built for vectors .* Build it with tokens"):
        layer(TOKENS)

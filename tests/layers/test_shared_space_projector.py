import math

import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import SharedSpaceProjector

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(4, 5, 6)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [1], [0]])  # the last sample has no token at all


def make(shape=TOKENS.shape, **options):
    """A projector whose heads look for something, with weights far from zero."""
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
    for x, keep in zip(np.float64(tokens), mask, strict=True):
        x = norm(x[keep], layer.token_norm)
        scores = np.exp(dense(x, layer.score_dense)) if layer.attends else np.ones((len(x), 2))
        parts = [
            (scores[:, [h]] / scores[:, h].sum() * x).sum(axis=0) @ kernels[h]
            if keep.any()
            else np.zeros(kernels.shape[-1])
            for h in range(layer.num_heads)
        ]
        rows.append(np.concatenate(parts))
    y = np.stack(rows) + np.float64(to_numpy(layer.bias))
    hidden = gelu(dense(norm(y, layer.output_norm), layer.hidden_dense))
    return y + dense(hidden, layer.output_dense)


def test_it_is_the_formula():
    layer = make()
    found = to_numpy(layer(TOKENS, mask=MASK))
    np.testing.assert_allclose(found, reference(layer, TOKENS, MASK), rtol=1e-4, atol=1e-4)


def test_vectors_are_one_token():
    layer, here = make(TOKENS[:, 0].shape), np.array([1, 1, 0, 1], "bool")
    found = to_numpy(layer(TOKENS[:, 0], mask=here))
    expected = reference(layer, TOKENS[:, :1], here[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_every_check_of_tokens(tmp_path):
    run_layer_checks(
        lambda **kw: SharedSpaceProjector(8, num_heads=2, **kw),
        {"inputs": TOKENS, "mask": MASK},
        {"mask": "inputs"},
        folder=tmp_path,
    )


def test_every_check_of_vectors(tmp_path):
    run_layer_checks(
        lambda **kw: SharedSpaceProjector(8, num_heads=2, hidden_dim=5, dropout=0.1, **kw),
        {"inputs": TOKENS[:, 0]},
        folder=tmp_path,
    )


def test_it_starts_from_the_mean():
    layer = SharedSpaceProjector(8)
    layer.build(TOKENS.shape)
    shuffled = TOKENS[:, ::-1]
    np.testing.assert_allclose(to_numpy(layer(shuffled)), to_numpy(layer(TOKENS)), atol=1e-5)


def test_dropout_acts_in_training_only():
    layer = make(dropout=0.5)
    one, other = (to_numpy(layer(TOKENS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(TOKENS, training=True)) - one).max() > 1e-3


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
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SharedSpaceProjector(**{"output_dim": 8, **options})


def test_feature_maps_are_to_be_flattened_first():
    with pytest.raises(ValueError, match="must be tokens .* Flatten a feature map first"):
        SharedSpaceProjector(8)(np.ones((2, 3, 3, 4), "float32"))


def test_a_layer_of_tokens_takes_vectors_and_masks_of_samples():
    tokens = np.random.default_rng(0).normal(size=(3, 3, 4)).astype("float32")
    vectors = tokens[:, 0]
    layer = SharedSpaceProjector(8, num_heads=2)
    layer(tokens)
    found = layer(vectors, mask=np.array([1, 0, 1]))
    expected = layer(vectors[:, None], mask=np.array([[True], [False], [True]]))
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-6)
    found = layer(tokens, mask=np.array([1, 0, 1]))
    expected = layer(tokens, mask=np.array([[True] * 3, [False] * 3, [True] * 3]))
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-6)
    layer = SharedSpaceProjector(8, num_heads=2)
    layer(vectors)
    with pytest.raises(ValueError, match="was built for vectors .* Call it with tokens first"):
        layer(tokens)

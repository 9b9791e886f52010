"""The encoders of vectors, tokens and tables against NumPy float64, with anything missing."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from layers.fusion.token_references import (
    block,
    dense,
    gelu,
    layer_norm,
    positions,
    randomized,
)

from keras_mmfusion.encoders import Standardization, TableEncoder, TokenEncoder, VectorEncoder

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(3, 2, size=(4, 5)).astype("float32")
TOKENS = RNG.normal(3, 2, size=(4, 3, 5)).astype("float32")
TOKENS_MASK = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]], "bool")
IDS = np.array([[5, 2, 3], [4, 1, 0], [6, 0, 0], [1, 1, 1]], "int32")
ROWS_MASK = np.array([True, False, True, True])
TABLE = np.array(
    [[54, 2, 1, 1e4], [71, 0, np.nan, 2e4], [np.nan, 1, 0, 3e4], [60, 7, -1, np.nan]], "float32"
)
COLUMNS = (None, 3, 2, None)
SMALL = {"num_heads": 2, "mlp_dim": 6}
CHECKS = {
    "vectors": (
        lambda **kw: VectorEncoder(4, hidden_dims=(6,), **kw),
        {"inputs": VECTORS, "mask": ROWS_MASK},
    ),
    "tokens": (
        lambda **kw: TokenEncoder(8, **SMALL, **kw),
        {"inputs": TOKENS, "mask": TOKENS_MASK},
    ),
    "ids": (lambda **kw: TokenEncoder(8, vocabulary_size=7, **SMALL, **kw), {"inputs": IDS}),
    "table": (lambda **kw: TableEncoder(4, COLUMNS, **kw), {"inputs": TABLE, "mask": ROWS_MASK}),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_of_an_encoder(kind, tmp_path):
    make_layer, inputs = CHECKS[kind]
    if kind == "table":  # Not of mean 0: half precision keeps 4 digits of what was standardized.
        make_layer = adapted(make_layer, TABLE)
    run_layer_checks(
        make_layer,
        inputs,
        {"mask": "inputs"} if "mask" in inputs else None,
        # A softmax does not change with a bias that all keys share.
        without_gradient=("key/bias",),
        folder=tmp_path,
    )


def adapted(make_layer, data):
    def make(**settings):
        layer = make_layer(**settings)
        layer.adapt(data)
        return layer

    return make


def standardized(x, data=None):
    data = x if data is None else data
    rows = np.float64(data).reshape(-1, data.shape[-1])
    return (np.float64(x) - np.nanmean(rows, axis=0)) / np.nanstd(rows, axis=0)


def test_standardization_takes_mean_and_spread_of_what_is_known():
    data = np.float64(TOKENS) * 1e6 + 1e7
    data[0, 1, 2] = np.nan
    layer = Standardization(dtype="mixed_float16")
    layer.adapt(data)
    expected = standardized(data)
    found = to_numpy(layer(data))
    assert np.isnan(found[0, 1, 2])
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_standardization_leaves_out_what_is_masked_and_what_never_varies():
    data = np.concatenate([TOKENS, np.full((4, 3, 1), 0.1, "float32")], axis=-1)
    layer = Standardization()
    layer.adapt(np.where(TOKENS_MASK[..., None], data, np.nan), mask=TOKENS_MASK)
    found = to_numpy(layer(data[TOKENS_MASK]))
    expected = standardized(TOKENS[TOKENS_MASK])
    np.testing.assert_allclose(found[:, :-1], expected, atol=1e-5)
    np.testing.assert_allclose(found[:, -1], 0, atol=1e-6)


def test_vectors_equal_their_formula():
    layer = VectorEncoder(4, hidden_dims=(6,))
    layer.adapt(VECTORS)
    layer(VECTORS)
    randomized(layer)
    expected = dense(layer.output_dense, gelu(dense(layer.hidden[0], standardized(VECTORS))))
    np.testing.assert_allclose(to_numpy(layer(VECTORS)), expected, atol=1e-5)
    # Tokens are encoded one by one; a sample's mask is that of all its tokens.
    tokens = to_numpy(layer(TOKENS, mask=ROWS_MASK))
    np.testing.assert_allclose(tokens[0, 1], to_numpy(layer(TOKENS[:, 1]))[0], atol=1e-5)
    np.testing.assert_allclose(tokens[1, 0], to_numpy(layer(0 * VECTORS))[0], atol=1e-5)


def make_tokens(**settings):
    layer = TokenEncoder(8, num_layers=2, **SMALL, **settings)
    if layer.vocabulary_size is None:
        layer.adapt(TOKENS)
    layer(TOKENS if layer.vocabulary_size is None else IDS)
    return randomized(layer)


@pytest.mark.parametrize("kind", ["vectors", "ids"])
def test_tokens_equal_their_formula(kind):
    if kind == "vectors":
        layer, inputs, mask, given = make_tokens(), TOKENS, TOKENS_MASK, {"mask": TOKENS_MASK}
        x = dense(layer.projection, standardized(TOKENS))
    else:
        layer, inputs, mask, given = make_tokens(vocabulary_size=7), IDS, IDS > 0, {}
        x = np.float64(to_numpy(layer.embedding.embeddings))[IDS]
    x = x + positions(3, 8)
    for each in layer.blocks:
        x = block(each, x, mask)
    expected = np.where(mask[..., None], layer_norm(layer.output_norm, x), 0)
    np.testing.assert_allclose(to_numpy(layer(inputs, **given)), expected, atol=5e-5)
    found_mask = layer.compute_mask(inputs, **given)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found_mask), mask)


@pytest.mark.parametrize("causal", [False, True])
def test_a_causal_encoder_sees_nothing_of_what_comes_later(causal):
    layer = make_tokens(causal=causal)
    whole, part = (to_numpy(layer(x))[:, :2] for x in (TOKENS, TOKENS[:, :2]))
    assert np.allclose(whole, part, atol=1e-5) == causal


def test_a_mask_of_samples_is_one_of_all_their_tokens():
    layer = make_tokens(vocabulary_size=7)
    found = to_numpy(layer(IDS, mask=ROWS_MASK))
    np.testing.assert_array_equal(found[1], 0)
    np.testing.assert_allclose(found[0], to_numpy(layer(IDS))[0], atol=1e-6)


def test_a_table_equals_its_formula():
    layer = TableEncoder(4, COLUMNS)
    layer.adapt(TABLE)
    found = to_numpy(randomized(layer, 1.0)(TABLE)) if layer.built else to_numpy(layer(TABLE))
    values, bias, missing = (to_numpy(w) for w in (layer.values, layer.bias, layer.missing))
    starts = [0, 1, 4, 6]
    scaled = standardized(TABLE)
    for row in range(4):
        for column, count in enumerate(COLUMNS):
            x = TABLE[row, column]
            if np.isnan(x):
                expected = missing[column]
            elif count and x not in range(count):
                categories = values[starts[column] : starts[column] + count]
                expected = categories.mean(axis=0) + bias[column]
            elif count:
                expected = values[starts[column] + int(x)] + bias[column]
            else:
                expected = scaled[row, column] * values[starts[column]] + bias[column]
            np.testing.assert_allclose(found[row, column], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VectorEncoder(0), "VectorEncoder: `dim` must be a positive integer"),
        (lambda: VectorEncoder(4, dropout=1.0), r"VectorEncoder: `dropout` must be in \[0, 1\)"),
        (lambda: TokenEncoder(6, num_heads=4), "TokenEncoder: `num_heads` must divide `dim`"),
        (lambda: TokenEncoder(8, num_layers=0), "`num_layers` must be a positive integer"),
        (lambda: TokenEncoder(8)(IDS), "`inputs` must be tokens"),
        (lambda: TokenEncoder(8, vocabulary_size=7)(TOKENS), "`inputs` must be ids"),
        (lambda: VectorEncoder(4)(VECTORS[0]), "VectorEncoder: `inputs` must be vectors"),
        (lambda: TableEncoder(4, ()), "TableEncoder: `columns` must be positive integers or None"),
        (lambda: TableEncoder(4, (None,))(TABLE), r"`inputs` must be \(batch, 1\), as `columns`"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_category_is_not_a_missing_one():
    layer = randomized(TableEncoder(4, (3,)), 1.0)
    known = to_numpy(layer(np.arange(3.0)[:, None]))
    missing, *unknown = to_numpy(layer(np.array([[np.nan], [3], [-1], [0.5], [np.inf]])))
    for token in unknown:
        np.testing.assert_allclose(token, known.mean(axis=0), atol=1e-6)
        assert np.abs(token - missing).max() > 1e-3

"""The encoders of vectors, tokens and tables, compared with NumPy float64 references."""

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
    randomize,
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
# name -> a function that makes the layer, and the call arguments
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
def test_encoders_pass_the_layer_checks(kind, tmp_path):
    make_layer, inputs = CHECKS[kind]
    if kind == "table":  # Half precision needs standardized numbers.
        make_layer = adapt_layer(make_layer, TABLE)
    run_layer_checks(
        make_layer,
        inputs,
        {"mask": "inputs"} if "mask" in inputs else None,
        # Softmax is invariant to a bias that all keys share.
        without_gradient=("key/bias",),
        folder=tmp_path,
    )


def adapt_layer(make_layer, data):
    def make_adapted_layer(**settings):
        layer = make_layer(**settings)
        layer.adapt(data)
        return layer

    return make_adapted_layer


def standardize(x, data=None):
    data = x if data is None else data
    rows = np.float64(data).reshape(-1, data.shape[-1])
    return (np.float64(x) - np.nanmean(rows, axis=0)) / np.nanstd(rows, axis=0)


def test_standardization_ignores_nan():
    data = np.float64(TOKENS) * 1e6 + 1e7
    data[0, 1, 2] = np.nan
    layer = Standardization(dtype="mixed_float16")
    layer.adapt(data)
    output = to_numpy(layer(data))
    assert np.isnan(output[0, 1, 2])
    np.testing.assert_allclose(output, standardize(data), atol=5e-3)


def test_standardization_ignores_masked_rows_and_centers_constants():
    data = np.concatenate([TOKENS, np.full((4, 3, 1), 0.1, "float32")], axis=-1)
    layer = Standardization()
    layer.adapt(np.where(TOKENS_MASK[..., None], data, np.nan), mask=TOKENS_MASK)
    output = to_numpy(layer(data[TOKENS_MASK]))
    expected = standardize(TOKENS[TOKENS_MASK])
    np.testing.assert_allclose(output[:, :-1], expected, atol=1e-5)
    np.testing.assert_allclose(output[:, -1], 0, atol=1e-6)


def test_vector_encoder_matches_numpy_reference():
    layer = VectorEncoder(4, hidden_dims=(6,))
    layer.adapt(VECTORS)
    layer(VECTORS)
    randomize(layer)
    expected = dense(layer.output_dense, gelu(dense(layer.hidden[0], standardize(VECTORS))))
    np.testing.assert_allclose(to_numpy(layer(VECTORS)), expected, atol=1e-5)
    # Tokens are encoded independently; a mask of samples applies to all of their tokens.
    tokens = to_numpy(layer(TOKENS, mask=ROWS_MASK))
    np.testing.assert_allclose(tokens[0, 1], to_numpy(layer(TOKENS[:, 1]))[0], atol=1e-5)
    np.testing.assert_allclose(tokens[1, 0], to_numpy(layer(0 * VECTORS))[0], atol=1e-5)


def make_token_encoder(**settings):
    layer = TokenEncoder(8, num_layers=2, **SMALL, **settings)
    if layer.vocabulary_size is None:
        layer.adapt(TOKENS)
    layer(TOKENS if layer.vocabulary_size is None else IDS)
    return randomize(layer)


@pytest.mark.parametrize("kind", ["vectors", "ids"])
def test_token_encoder_matches_numpy_reference(kind):
    if kind == "vectors":
        layer, inputs, mask = make_token_encoder(), TOKENS, TOKENS_MASK
        settings = {"mask": TOKENS_MASK}
        x = dense(layer.projection, standardize(TOKENS))
    else:
        layer, inputs, mask = make_token_encoder(vocabulary_size=7), IDS, IDS > 0
        settings = {}
        x = np.float64(to_numpy(layer.embedding.embeddings))[IDS]
    x = x + positions(3, 8)
    for encoder_block in layer.blocks:
        x = block(encoder_block, x, mask)
    expected = np.where(mask[..., None], layer_norm(layer.output_norm, x), 0)
    np.testing.assert_allclose(to_numpy(layer(inputs, **settings)), expected, atol=5e-5)
    output_mask = layer.compute_mask(inputs, **settings)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(output_mask), mask)


@pytest.mark.parametrize("causal", [False, True])
def test_causal_encoder_does_not_attend_to_later_tokens(causal):
    layer = make_token_encoder(causal=causal)
    full, truncated = (to_numpy(layer(x))[:, :2] for x in (TOKENS, TOKENS[:, :2]))
    assert np.allclose(full, truncated, atol=1e-5) == causal


def test_mask_of_samples_applies_to_all_of_their_tokens():
    layer = make_token_encoder(vocabulary_size=7)
    output = to_numpy(layer(IDS, mask=ROWS_MASK))
    np.testing.assert_array_equal(output[1], 0)
    np.testing.assert_allclose(output[0], to_numpy(layer(IDS))[0], atol=1e-6)


def test_table_encoder_matches_numpy_reference():
    layer = TableEncoder(4, COLUMNS)
    layer.adapt(TABLE)
    layer(TABLE)
    output = to_numpy(randomize(layer, 1.0)(TABLE))
    values, bias, missing = (to_numpy(w) for w in (layer.values, layer.bias, layer.missing))
    starts = [0, 1, 4, 6]
    scaled = standardize(TABLE)
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
            np.testing.assert_allclose(output[row, column], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("make_or_call", "message"),
    [
        (lambda: VectorEncoder(0), "VectorEncoder: `dim` must be a positive integer"),
        (lambda: VectorEncoder(4, dropout=1.0), r"VectorEncoder: `dropout` must be in \[0, 1\)"),
        (lambda: TokenEncoder(6, num_heads=4), "TokenEncoder: `num_heads` must divide `dim`"),
        (lambda: TokenEncoder(8, num_layers=0), "`num_layers` must be a positive integer"),
        (lambda: TokenEncoder(8)(IDS), "`inputs` must be tokens"),
        (lambda: TokenEncoder(8, vocabulary_size=7)(TOKENS), "`inputs` must be ids"),
        (lambda: VectorEncoder(4)(VECTORS[0]), "VectorEncoder: `inputs` must be vectors"),
        (lambda: TableEncoder(4, ()), "TableEncoder: `columns` must be positive integers or None"),
        (lambda: TableEncoder(4, (None,))(TABLE), r"`inputs` must have shape \(batch, 1\), the"),
    ],
)
def test_invalid_arguments_raise(make_or_call, message):
    with pytest.raises(ValueError, match=message):
        make_or_call()


def test_unknown_category_differs_from_a_missing_value():
    layer = randomize(TableEncoder(4, (3,)), 1.0)
    known = to_numpy(layer(np.arange(3.0)[:, None]))
    missing, *unknown = to_numpy(layer(np.array([[np.nan], [3], [-1], [0.5], [np.inf]])))
    for token in unknown:
        np.testing.assert_allclose(token, known.mean(axis=0), atol=1e-6)
        assert np.abs(token - missing).max() > 1e-3

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion import CrossModalAttention

RNG = np.random.default_rng(0)
TEXT = RNG.normal(size=(3, 4, 6)).astype("float32")
IMAGE = RNG.normal(size=(3, 5, 10)).astype("float32")
KEYS = RNG.normal(size=(3, 5, 7)).astype("float32")
TEXT_MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]], "bool")
IMAGE_MASK = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 1, 1, 1]], "bool")
ATTENTION_MASK = np.random.default_rng(1).random((3, 4, 5)) < 0.7
# Softmax is invariant to a bias that all keys share.
WITHOUT_GRADIENT = ("key/bias",)


def reference(layer, query, value, key=None, mask=None):
    """Output and scores of the formula in NumPy float64, with the layer's weights."""
    key = value if key is None else key
    dense = {}
    for part in ("query", "key", "value", "output"):
        weights = getattr(layer, f"{part}_dense").get_weights()
        kernel, bias = (*weights, 0.0)[:2]
        dense[part] = np.float64(kernel), np.float64(bias)

    def heads(x, part):
        kernel, bias = dense[part]
        projected = np.float64(x) @ kernel + bias
        return projected.reshape(*x.shape[:2], layer.num_heads, -1).transpose(0, 2, 1, 3)

    q, k, v = heads(query, "query"), heads(key, "key"), heads(value, "value")
    logits = q @ k.transpose(0, 1, 3, 2) / np.sqrt(layer.head_dim)
    mask = np.ones(logits.shape, "bool") if mask is None else np.broadcast_to(mask, logits.shape)
    exponents = np.where(mask, np.exp(logits - logits.max(axis=-1, keepdims=True)), 0)
    total = exponents.sum(axis=-1, keepdims=True)
    scores = np.divide(exponents, total, where=total > 0, out=np.zeros_like(exponents))
    attended = (scores @ v).transpose(0, 2, 1, 3).reshape(*query.shape[:2], -1)
    kernel, bias = dense["output"]
    output = attended @ kernel + bias
    return np.where(mask.any(axis=-1)[:, 0, :, None], output, 0), scores


def randomize(layer):
    for weight in layer.trainable_weights:
        weight.assign(np.random.default_rng(2).normal(scale=0.5, size=weight.shape))


def test_one_head_with_identity_projections_matches_the_formula():
    layer = CrossModalAttention(num_heads=1, head_dim=6, use_bias=False)
    value = RNG.normal(size=(3, 5, 6)).astype("float32")
    layer.build(TEXT.shape, value.shape)
    layer.set_weights([np.eye(6)] * 4)
    logits = np.float64(TEXT) @ np.float64(value).transpose(0, 2, 1) / np.sqrt(6)
    weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(to_numpy(layer(TEXT, value, value)), weights @ value, atol=1e-6)


@pytest.mark.parametrize("separate_keys", [False, True])
@pytest.mark.parametrize("masked", ["nothing", "values", "keys", "queries", "pairs", "all"])
def test_attention_matches_numpy_reference(masked, separate_keys):
    layer = CrossModalAttention(num_heads=3, head_dim=4, output_dim=8)
    key = KEYS if separate_keys else None
    masks, mask = {}, np.ones((3, 1, 4, 5), "bool")
    if masked in ("values", "all"):
        masks["value_mask"] = IMAGE_MASK
        mask = mask & IMAGE_MASK[:, None, None]
    if masked in ("keys", "all"):
        masks["key_mask"] = np.roll(IMAGE_MASK, 1, axis=1)
        mask = mask & np.roll(IMAGE_MASK, 1, axis=1)[:, None, None]
    if masked in ("pairs", "all"):
        masks["attention_mask"] = ATTENTION_MASK
        mask = mask & ATTENTION_MASK[:, None]
    if masked in ("queries", "all"):
        masks["query_mask"] = TEXT_MASK
        mask = mask & TEXT_MASK[:, None, :, None]
    layer.build(TEXT.shape, IMAGE.shape, None if key is None else key.shape)
    randomize(layer)
    expected, expected_scores = reference(layer, TEXT, IMAGE, key, mask)
    np.testing.assert_allclose(to_numpy(layer(TEXT, IMAGE, key, **masks)), expected, atol=2e-5)
    output, scores = layer(TEXT, IMAGE, key, **masks, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(output), expected, atol=2e-5)
    np.testing.assert_allclose(to_numpy(scores), expected_scores, atol=1e-5)


def test_causal_mask_hides_later_keys():
    layer = CrossModalAttention(num_heads=2, head_dim=3)
    found = to_numpy(layer(TEXT, TEXT, use_causal_mask=True))
    expected, _ = reference(layer, TEXT, TEXT, mask=np.tril(np.ones((4, 4), "bool")))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_query_without_keys_gets_zeros():
    layer = CrossModalAttention(num_heads=2, head_dim=4)
    layer.build(TEXT.shape, IMAGE.shape)
    randomize(layer)
    mask = np.ones((3, 5), "bool")
    mask[1] = False
    found = to_numpy(layer(TEXT, IMAGE, value_mask=mask))
    assert (found[1] == 0).all()
    assert (found[[0, 2]] != 0).all()


@pytest.mark.parametrize("separate_keys", [False, True])
def test_attend_cached_matches_the_call(separate_keys):
    layer = CrossModalAttention(num_heads=2, head_dim=3)
    key = KEYS if separate_keys else None
    layer(TEXT, IMAGE, key)
    randomize(layer)
    masked_value = np.where(IMAGE_MASK[..., None], IMAGE, np.nan)
    for value, mask in ((IMAGE, None), (masked_value, IMAGE_MASK)):
        expected = to_numpy(layer(TEXT, value, key, value_mask=mask))
        cache = layer.project_key_value(value, key, value_mask=mask)
        assert [tuple(x.shape) for x in cache] == [(3, 2, 5, 3)] * 2
        attention_mask = None if mask is None else mask[:, None]
        output = to_numpy(layer.attend_cached(TEXT, cache, attention_mask))
        np.testing.assert_allclose(output, expected, atol=2e-6)
        steps = [
            to_numpy(layer.attend_cached(TEXT[:, i : i + 1], cache, attention_mask))
            for i in range(TEXT.shape[1])
        ]
        np.testing.assert_allclose(np.concatenate(steps, axis=1), expected, atol=2e-6)


def test_implicit_masks_are_used():
    ids = np.array([[3, 1, 2, 0], [4, 0, 0, 0]])
    embedding = keras.layers.Embedding(5, 6, mask_zero=True)
    layer = CrossModalAttention(num_heads=2, head_dim=4)
    embedded = embedding(ids)
    found = layer(TEXT[:2], embedded)
    plain = keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(embedded))
    expected = layer(TEXT[:2], plain, value_mask=ids != 0)
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-6)
    assert not np.allclose(to_numpy(found), to_numpy(layer(TEXT[:2], plain)), atol=1e-3)


def test_gradients_are_finite_with_masked_rows_and_nan_padding():
    value = np.where(IMAGE_MASK[..., None], IMAGE, np.nan)
    value[0], mask = np.nan, IMAGE_MASK.copy()
    mask[0] = False
    query = keras.Input(TEXT.shape[1:])
    values, masks = keras.Input(IMAGE.shape[1:]), keras.Input((5,), dtype="bool")
    layer = CrossModalAttention(num_heads=2, head_dim=4)
    # The same tensor as value and key: the value mask applies to both.
    model = keras.Model([query, values, masks], layer(query, values, values, value_mask=masks))
    model.compile("sgd", "mse")
    model.fit([TEXT, value, mask], TEXT, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("return_attention_scores", [False, True])
def test_large_logits_stay_finite_in_float16(return_attention_scores):
    layer = CrossModalAttention(num_heads=1, head_dim=64, use_bias=False, dtype="float16")
    query = np.full((1, 2, 64), 50, "float16")
    value = np.stack([np.full(64, 50), np.full(64, -50)])[None].astype("float16")
    layer.build(query.shape, value.shape)
    layer.set_weights([np.eye(64)] * 4)  # query times key is 160,000: beyond float16
    outputs = layer(query, value, return_attention_scores=return_attention_scores)
    found = to_numpy(outputs[0] if return_attention_scores else outputs)
    np.testing.assert_array_equal(found, query)


def test_dropout_is_active_only_in_training():
    layer = CrossModalAttention(num_heads=2, head_dim=4, dropout=0.5)
    first, second = (to_numpy(layer(TEXT, IMAGE, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    first, second = (to_numpy(layer(TEXT, IMAGE)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("return_attention_scores", [False, True])
def test_attention_passes_the_layer_checks(return_attention_scores, tmp_path):
    run_layer_checks(
        lambda dtype: CrossModalAttention(
            num_heads=2, head_dim=4, output_dim=8, dropout=0.1, dtype=dtype
        ),
        {
            "query": TEXT,
            "value": IMAGE,
            "key": KEYS,
            "query_mask": TEXT_MASK,
            "value_mask": IMAGE_MASK,
            "return_attention_scores": return_attention_scores,
        },
        masks={"query_mask": "query", "value_mask": "value"},
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be a positive integer. Received: 0"),
        ({"head_dim": 2.5}, "`head_dim` must be a positive integer. Received: 2.5"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        CrossModalAttention(**arguments)


def test_invalid_shapes_raise():
    with pytest.raises(ValueError, match="`value` must be tokens of shape"):
        CrossModalAttention()(TEXT, IMAGE[:, :, None])
    with pytest.raises(ValueError, match="`key` and `value` must have the same number of tokens"):
        CrossModalAttention()(TEXT, IMAGE, KEYS[:, :3])

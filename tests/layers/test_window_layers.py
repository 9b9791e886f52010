"""Relative positions, windows of a grid, and their merging, as in Swin and BEiT."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion import CrossModalAttention
from keras_mmfusion.layers import (
    PatchMerging,
    RelativePositionBias,
    TransformerBlock,
    WindowTransformerBlock,
)

RNG = np.random.default_rng(0)
GRID = (4, 5)
TOKENS = RNG.normal(size=(2, 20, 4)).astype("float32")
# Softmax is invariant to a bias that all keys share.
WITHOUT_GRADIENT = ("key/bias",)


def randomize(layer):
    for weight in layer.trainable_weights:
        weight.assign(np.random.default_rng(2).normal(scale=0.5, size=weight.shape))


@pytest.mark.parametrize("class_token", [False, True])
def test_bias_depends_on_the_distance_of_two_positions(class_token):
    layer = RelativePositionBias((2, 3), 2, class_token)
    count = 6 + class_token
    layer.build((None, count, 4))
    table = RNG.normal(size=layer.table.shape).astype("float32")
    layer.set_weights([table])
    bias = to_numpy(layer(np.zeros((1, count, 4))))[0]
    for query in range(6):
        for key in range(6):
            rows, columns = np.subtract(divmod(query, 3), divmod(key, 3))
            found = bias[:, query + class_token, key + class_token]
            np.testing.assert_array_equal(found, table[(rows + 1) * 5 + columns + 2])
    if class_token:
        np.testing.assert_array_equal(bias[:, 0, 0], table[-1])
        np.testing.assert_array_equal(bias[:, 1:, 0], np.tile(table[-2:-1].T, 6))
        np.testing.assert_array_equal(bias[:, 0, 1:], np.tile(table[-3:-2].T, 6))
    with pytest.raises(ValueError, match=f"must be the {count} tokens of the grid"):
        RelativePositionBias((2, 3), 2, class_token).build((None, 5, 4))


def test_merged_tokens_are_rows_first(tmp_path):
    layer = PatchMerging(GRID)
    layer.build(TOKENS.shape)
    randomize(layer)
    grid = np.pad(TOKENS.reshape(2, 4, 5, 4), ((0, 0), (0, 0), (0, 1), (0, 0)))
    parts = [grid[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    merged = np.concatenate(parts, axis=-1).reshape(2, 6, 16)
    gamma, beta, kernel = layer.get_weights()
    scaled = merged - merged.mean(-1, keepdims=True)
    scaled = scaled / np.sqrt(merged.var(-1, keepdims=True) + 1e-5) * gamma + beta
    np.testing.assert_allclose(to_numpy(layer(TOKENS)), scaled @ kernel, atol=1e-4)


def attend_in_windows(block, x):
    """The block as a `TransformerBlock` whose bias excludes the tokens of other windows."""
    rows, columns = block.grid
    size, shift = block.window_size, block.shift
    index = np.arange(rows * columns)
    index = np.stack([index // columns, index % columns])
    # The windows of the unrolled grid; the first and the last are smaller if they are shifted.
    windows = (index - shift) // size
    same = (windows[:, :, None] == windows[:, None]).all(0)
    distances = index[:, :, None] - index[:, None] + size - 1
    distances = np.where(same, distances[0] * (2 * size - 1) + distances[1], 0)
    bias = to_numpy(block.position_bias.table)[distances].transpose(2, 0, 1)
    bias = np.where(same, bias, -1e9)[None].astype("float32")
    other = TransformerBlock(block.num_heads, block.mlp_dim, epsilon=block.epsilon)
    other.build(x.shape)
    weights = [w for w in block.get_weights() if w.shape != block.position_bias.table.shape]
    other.set_weights(weights)
    return to_numpy(other(x, attention_bias=bias))


@pytest.mark.parametrize("shift", [0, 1])
def test_tokens_attend_to_those_of_their_window(shift):
    block = WindowTransformerBlock(2, 8, (4, 6), window_size=2, shift=shift)
    x = RNG.normal(size=(2, 24, 4)).astype("float32")
    block.build(x.shape)
    randomize(block)
    np.testing.assert_allclose(to_numpy(block(x)), attend_in_windows(block, x), atol=1e-5)


def test_padding_of_the_grid_is_attended_to_as_zeros():
    block = WindowTransformerBlock(2, 8, GRID, window_size=3)
    block.build(TOKENS.shape)
    randomize(block)
    block.attention_norm.gamma.assign(np.zeros(4))  # Without it, zeros would not stay zeros.
    block.attention_norm.beta.assign(np.zeros(4))
    padded = np.pad(TOKENS.reshape(2, 4, 5, 4), ((0, 0), (0, 2), (0, 1), (0, 0)))
    other = WindowTransformerBlock(2, 8, (6, 6), window_size=3)
    other.build((2, 36, 4))
    other.set_weights(block.get_weights())
    expected = to_numpy(other(padded.reshape(2, 36, 4))).reshape(2, 6, 6, 4)[:, :4, :5]
    np.testing.assert_allclose(to_numpy(block(TOKENS)), expected.reshape(2, 20, 4), atol=1e-6)


def test_window_layers_pass_the_layer_checks(tmp_path):
    sizes = {"num_heads": 2, "mlp_dim": 8, "grid": GRID, "window_size": 3, "shift": 1}
    run_layer_checks(
        lambda **kw: WindowTransformerBlock(**sizes, **kw),
        {"x": TOKENS},
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )
    run_layer_checks(lambda **kw: PatchMerging(GRID, **kw), {"tokens": TOKENS}, folder=tmp_path)


def test_scaled_block_passes_the_layer_checks(tmp_path):
    bias = RNG.normal(size=(2, 2, 20, 20)).astype("float32")
    run_layer_checks(
        lambda **kw: TransformerBlock(2, 8, layer_scale=0.5, **kw),
        {"x": TOKENS, "attention_bias": bias},
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )


def test_layer_scale_multiplies_the_branches():
    block = TransformerBlock(2, layer_scale=0.5)
    block.build(TOKENS.shape)
    plain = TransformerBlock(2)
    plain.build(TOKENS.shape)
    weights = [weight for weight in block.weights if not weight.path.endswith("scale")]
    plain.set_weights([keras.ops.convert_to_numpy(weight) for weight in weights])
    expected = (TOKENS + to_numpy(plain(TOKENS))) / 2
    np.testing.assert_allclose(to_numpy(block(TOKENS)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"window_size": 5}, "`window_size` must be an integer from 1 to 4"),
        ({"window_size": 2, "shift": 2}, "`shift` must be an integer from 0 to 1"),
    ],
)
def test_windows_outside_the_grid_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        WindowTransformerBlock(2, 8, GRID, **arguments)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_bias_is_added_to_the_scores(masked):
    layer = CrossModalAttention(num_heads=2, head_dim=3)
    layer.build(TOKENS.shape, TOKENS.shape)
    randomize(layer)
    bias = RNG.normal(size=(1, 2, 20, 20)).astype("float32")
    mask = RNG.random((2, 20)) < 0.7 if masked else None
    output, scores = layer(
        TOKENS, TOKENS, value_mask=mask, attention_bias=bias, return_attention_scores=True
    )
    _, plain = layer(TOKENS, TOKENS, value_mask=mask, return_attention_scores=True)
    expected = to_numpy(plain) * np.exp(bias)
    np.testing.assert_allclose(
        to_numpy(scores), expected / expected.sum(-1, keepdims=True), atol=1e-6
    )
    fused = layer(TOKENS, TOKENS, value_mask=mask, attention_bias=bias)
    np.testing.assert_allclose(to_numpy(fused), to_numpy(output), atol=1e-5)

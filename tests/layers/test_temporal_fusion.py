import math

import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import (
    DividedSpaceTimeTransformer,
    TemporalBottleneck,
    TemporalMeanPooling,
    TemporalTransformer,
)

FRAMES, TOKENS, DIM = 3, 2, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, FRAMES, TOKENS, DIM)).astype("float32")
# A complete video, one of two frames, and one without frames.
MASK = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0]], "bool")
SIZES = {"num_layers": 2, "num_heads": 2, "mlp_dim": 5}
CLASSES = {
    TemporalMeanPooling: {},
    TemporalTransformer: SIZES,
    DividedSpaceTimeTransformer: SIZES,
    TemporalBottleneck: {**SIZES, "num_bottlenecks": 2},
}

erf = np.vectorize(math.erf)


def make(cls, dtype="float32", **arguments):
    return cls(**{**CLASSES[cls], **arguments}, dtype=dtype)


def spread(layer):
    """Builds the layer with widely spread weights, so that no part of the formula is hidden."""
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(float("gamma" in weight.path), 0.5, weight.shape))
    return layer


def dense(layer, x):
    return x @ to_numpy(layer.kernel).astype("float64") + to_numpy(layer.bias)


def norm(layer, x):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * to_numpy(layer.gamma).astype("float64") + to_numpy(layer.beta)


def attend(block, x):
    """`x + Attention(LayerNorm(x))` of tokens `(tokens, dim)`, one head at a time."""
    layer, y = block.attention, norm(block.attention_norm, x)
    q, k, v = (
        dense(part, y).reshape(len(x), layer.num_heads, -1)
        for part in (layer.query_dense, layer.key_dense, layer.value_dense)
    )
    heads = []
    for h in range(layer.num_heads):
        weights = np.exp(q[:, h] @ k[:, h].T / np.sqrt(q.shape[-1]))
        heads.append(weights / weights.sum(-1, keepdims=True) @ v[:, h])
    return x + dense(layer.output_dense, np.concatenate(heads, -1))


def apply_mlp(block, x):
    hidden = dense(block.mlp_hidden, norm(block.mlp_norm, x))
    return x + dense(block.mlp_output, hidden * (1 + erf(hidden / 2**0.5)) / 2)


def apply_block(block, x):
    return apply_mlp(block, attend(block, x))


def mean_pooling(layer, frames):
    return frames.mean(axis=0)


def transformer(layer, frames):
    x = frames.mean(axis=1)
    for block in layer.blocks:
        x = apply_block(block, x)
    return norm(layer.output_norm, x)


def divided_space_time(layer, frames):
    x = frames.copy()
    for time_block, space_block in zip(layer.time_blocks, layer.blocks, strict=True):
        for t in range(TOKENS):
            x[:, t] = attend(time_block, x[:, t])
        x = np.stack([apply_block(space_block, frame) for frame in x])
    return norm(layer.output_norm, x).reshape(-1, DIM)


def bottleneck(layer, frames):
    shared, frames = to_numpy(layer.bottlenecks).astype("float64"), list(frames)
    for block in layer.blocks:
        updates = []
        for f, frame in enumerate(frames):
            x = apply_block(block, np.concatenate([frame, shared]))
            frames[f], update = x[:TOKENS], x[TOKENS:]
            updates.append(update)
        shared = np.mean(updates, axis=0)
    return norm(layer.output_norm, shared)


REFERENCES = {
    TemporalMeanPooling: mean_pooling,
    TemporalTransformer: transformer,
    DividedSpaceTimeTransformer: divided_space_time,
    TemporalBottleneck: bottleneck,
}


@pytest.mark.parametrize("cls", CLASSES)
def test_temporal_fusion_passes_layer_checks(cls, tmp_path):
    depth = {} if cls is TemporalMeanPooling else {"num_layers": 1}  # Faster to compile.
    run_layer_checks(
        lambda dtype: make(cls, dtype, **depth),
        {"tokens": X, "mask": MASK},
        {"mask": "tokens"},
        folder=tmp_path,
        learns=cls is not TemporalMeanPooling,
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_outputs_equal_a_float64_reference_on_the_unmasked_frames(cls):
    layer = spread(make(cls))
    outputs = to_numpy(layer(X, mask=MASK))
    mask = layer.compute_mask(X, MASK)
    mask = np.ones(outputs.shape[:2], "bool") if mask is None else to_numpy(mask).astype("bool")
    for row, count in enumerate(MASK.sum(axis=1)):
        if count:
            expected = REFERENCES[cls](layer, X[row, :count].astype("float64"))
            np.testing.assert_allclose(outputs[row][: len(expected)], expected, atol=2e-5)
            assert mask[row].sum() == len(expected)
        assert not outputs[row][~mask[row]].any()
    np.testing.assert_allclose(to_numpy(layer(X)), to_numpy(layer(X, mask=MASK | True)), atol=1e-6)


@pytest.mark.parametrize("cls", CLASSES)
def test_only_mean_pooling_is_independent_of_positions(cls):
    """With position embeddings, other fusions distinguish the order of the frames."""
    layer = spread(make(cls))
    positions = RNG.normal(size=(FRAMES, 1, DIM)).astype("float32")
    forward, backward = (to_numpy(layer(x + positions)) for x in (X[:1], X[:1, ::-1]))
    is_equal = np.allclose(np.sort(forward, axis=1), np.sort(backward, axis=1), atol=1e-4)
    assert is_equal == (cls is TemporalMeanPooling)


def test_invalid_arguments_are_reported():
    with pytest.raises(ValueError, match=r"\(batch, frames, tokens, dim\). Received shape: \(3, 4"):
        TemporalTransformer()(np.zeros((3, 4, 8)))
    with pytest.raises(ValueError, match="`num_heads` must divide the dim.*num_heads=3, dim 4"):
        TemporalTransformer(num_heads=3)(X)
    with pytest.raises(
        ValueError, match="TemporalBottleneck: `num_bottlenecks` must be a positive"
    ):
        TemporalBottleneck(num_bottlenecks=0)

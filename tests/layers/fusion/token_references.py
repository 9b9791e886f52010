"""Attention and the layers made of it in NumPy float64, and tokens with something missing."""

import math

import numpy as np
from layer_checks import to_numpy

from keras_mmfusion.layers.fusion import (
    BottleneckFusion,
    DeepSetFusion,
    GatedCrossAttention,
    MulTFusion,
    PerceiverResampler,
    QFormer,
    UnionFusion,
)

NAMES = ("image", "text", "audio")
TOKENS = {"image": 4, "text": 3, "audio": 5}
DIMS = {"image": 5, "text": 3, "audio": 4}
RNG = np.random.default_rng(0)
INPUTS = {
    name: RNG.normal(size=(4, TOKENS[name], dim)).astype("float32") for name, dim in DIMS.items()
}
# Padding, and each modality missing somewhere; the last sample has none at all.
MASK = {
    "image": np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], "bool"),
    "text": np.array([[1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]], "bool"),
    "audio": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0]], "bool"),
}

erf = np.vectorize(math.erf)


def dense(layer, x):
    kernel, *bias = map(np.float64, layer.get_weights())
    return x @ kernel + (bias[0] if bias else 0.0)


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def layer_norm(layer, x):
    scale, offset = map(np.float64, layer.get_weights())
    centered = x - x.mean(axis=-1, keepdims=True)
    return (
        centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + layer.epsilon) * scale
        + offset
    )


def attention(layer, query, value, mask):
    """One query and one head at a time."""
    output = np.zeros((len(query), query.shape[1], layer.output_dense.units))
    for b in range(len(query)):
        if not mask[b].any():
            continue
        parts = ((layer.query_dense, query[b]), (layer.key_dense, value[b, mask[b]]))
        q, k = (dense(d, x).reshape(-1, layer.num_heads, layer.head_dim) for d, x in parts)
        v = dense(layer.value_dense, value[b, mask[b]]).reshape(k.shape)
        for i in range(len(q)):
            heads = []
            for h in range(layer.num_heads):
                weights = np.exp(k[:, h] @ q[i, h] / np.sqrt(layer.head_dim))
                heads.append(weights @ v[:, h] / weights.sum())
            output[b, i] = dense(layer.output_dense, np.concatenate(heads))
    return output


def block(layer, x, mask=None, context=None, context_mask=None):
    """`TransformerBlock`; without masks all tokens are there."""
    query = layer_norm(layer.attention_norm, x)
    if context is None:
        keys, keys_mask = query, mask
    else:
        keys, keys_mask = layer_norm(layer.context_norm, context), context_mask
    if keys_mask is None:
        keys_mask = np.ones(keys.shape[:2], "bool")
    x = x + gate(layer, "attention_gate") * attention(layer.attention, query, keys, keys_mask)
    if layer.mlp_dim is None:
        return x
    hidden = gelu(dense(layer.mlp_hidden, layer_norm(layer.mlp_norm, x)))
    return x + gate(layer, "mlp_gate") * dense(layer.mlp_output, hidden)


def gate(layer, name):
    return np.tanh(np.float64(to_numpy(getattr(layer, name)))) if layer.gated else 1.0


def transformer(layer, x, mask=None, context=None, context_mask=None):
    """`CrossModalTransformer`."""
    for each in layer.blocks:
        x = block(each, x, mask, context, context_mask)
    return layer_norm(layer.output_norm, x)


def positions(count, dim):
    """Sines and cosines of positions, entry by entry."""
    table = np.zeros((count, dim))
    for position in range(count):
        for i in range(dim):
            angle = position / 10000 ** ((i - i % 2) / dim)
            table[position, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return table


def projected(layer, values):
    return [dense(p, x) for p, x in zip(layer.projections, values, strict=True)]


def learned(weight, batch_size):
    return np.repeat(np.float64(to_numpy(weight)), batch_size, axis=0)


def mult(layer, values, present):
    tokens = [x + positions(x.shape[1], x.shape[2]) for x in projected(layer, values)]
    fused = []
    for m, (target, own, output) in enumerate(zip(tokens, layer.selfs, layer.outputs, strict=True)):
        pairs = iter(layer.pairs[m])
        read = [
            transformer(next(pairs), target, None, tokens[k], present[k])
            for k in range(len(tokens))
            if k != m
        ]
        fused.append(dense(output, transformer(own, np.concatenate(read, axis=2), present[m])))
    return np.concatenate(fused, axis=1), np.concatenate(present, axis=1)


def bottleneck(layer, values, present):
    """One sample at a time, its missing modalities left out and its padding cut off."""
    count = layer.num_bottlenecks
    fused, mask = [], []
    for row in range(len(values[0])):
        tokens = [x[row : row + 1] for x in projected(layer, values)]
        here = [m[row : row + 1] for m in present]
        shared = learned(layer.bottlenecks, 1)
        for blocks in layer.blocks:
            updates = []
            for m, each in enumerate(blocks):
                both = np.concatenate([tokens[m], shared], axis=1)
                both_here = np.concatenate([here[m], np.ones((1, count), "bool")], axis=1)
                both = block(each, both, both_here)
                tokens[m] = both[:, :-count]
                if here[m].any():
                    updates.append(both[:, -count:])
            shared = np.mean(updates, axis=0) if updates else shared
        fused.append(layer_norm(layer.output_norm, np.concatenate([*tokens, shared], axis=1)))
        mask.append(np.concatenate([*here, np.ones((1, count), "bool")], axis=1))
    return np.concatenate(fused), np.concatenate(mask)


def perceiver_resampler(layer, values, present):
    tokens, latents = projected(layer, values), learned(layer.latents, len(values[0]))
    always = np.ones(latents.shape[:2], "bool")
    for each in layer.blocks:
        context = np.concatenate([*tokens, latents], axis=1)
        mask = np.concatenate([*present, always], axis=1)
        latents = block(each, latents, None, context, mask)
    return layer_norm(layer.output_norm, latents), always


def q_former(layer, values, present):
    context, mask = np.concatenate(projected(layer, values), 1), np.concatenate(present, 1)
    queries = learned(layer.queries, len(values[0]))
    for own, *cross in layer.blocks:
        queries = block(own, queries)
        if cross:
            queries = block(cross[0], queries, None, context, mask)
    return layer_norm(layer.output_norm, queries), np.ones(queries.shape[:2], "bool")


def gated_cross_attention(layer, values, present):
    x, *others = values
    x = dense(layer.projection, x)
    context = [dense(p, z) for p, z in zip(layer.context_projections, others, strict=True)]
    for each in layer.blocks:
        x = block(each, x, None, np.concatenate(context, 1), np.concatenate(present[1:], 1))
    return x, present[0]


def deep_set(layer, values, present):
    sums, counts = [], []
    parts = zip(layer.element_hidden, layer.element_output, values, present, strict=True)
    for hidden, output, x, here in parts:
        elements = gelu(dense(output, gelu(dense(hidden, x))))
        sums.append(np.stack([e[m].sum(axis=0) for e, m in zip(elements, here, strict=True)]))
        counts.append(here.sum(axis=1, keepdims=True))
    if not layer.per_modality:
        sums, counts = [sum(sums)], [sum(counts)]
    if layer.average:
        sums = [x / np.maximum(count, 1) for x, count in zip(sums, counts, strict=True)]
    parts = zip(layer.set_hidden, layer.set_output, sums, strict=True)
    fused = np.stack([dense(output, gelu(dense(hidden, x))) for hidden, output, x in parts], 1)
    if layer.per_modality:
        return fused, np.concatenate(counts, axis=1) > 0
    return fused, np.ones((len(fused), 1), "bool")


def union(layer, values, present):
    tokens = [dense(each, x) for each, x in zip(layer.projections, values, strict=True)]
    return np.concatenate(tokens, axis=1), np.concatenate(present, axis=1)


SMALL = {"output_dim": 8, "num_heads": 2}
RULES = {
    "mult": (lambda names=NAMES, **kw: MulTFusion(names, **{**SMALL, **kw}), mult),
    "bottleneck": (
        lambda names=NAMES, **kw: BottleneckFusion(names, num_bottlenecks=2, **{**SMALL, **kw}),
        bottleneck,
    ),
    "perceiver_resampler": (
        lambda names=NAMES, **kw: PerceiverResampler(names, num_latents=3, **{**SMALL, **kw}),
        perceiver_resampler,
    ),
    "q_former": (
        lambda names=NAMES, **kw: QFormer(names, num_queries=3, **{**SMALL, **kw}),
        q_former,
    ),
    "gated_cross_attention": (
        lambda names=NAMES, **kw: GatedCrossAttention(names, **{**SMALL, **kw}),
        gated_cross_attention,
    ),
    "deep_set": (
        lambda names=NAMES, num_layers=1, **kw: DeepSetFusion(names, 8, **kw),
        deep_set,
    ),
    "deep_set_per_modality": (
        lambda names=NAMES, num_layers=1, **kw: DeepSetFusion(
            names, 8, per_modality=True, average=True, **kw
        ),
        deep_set,
    ),
    "union": (lambda names=NAMES, num_layers=1, **kw: UnionFusion(names, 8, **kw), union),
}


def pool(tokens, mask):
    """The mean of the tokens that are there."""
    return np.stack(
        [x[m].mean(axis=0) if m.any() else 0 * x[0] for x, m in zip(tokens, mask, strict=True)]
    )


def randomized(layer, scale=0.5):
    """The layer with weights that are not small, gates and offsets included."""
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))
    return layer


def masked(names):
    """Zeros where a token is missing, in float64, and the masks."""
    present = [MASK[name] for name in names]
    values = [
        np.where(here[..., None], np.float64(INPUTS[name]), 0.0)
        for name, here in zip(names, present, strict=True)
    ]
    return values, present

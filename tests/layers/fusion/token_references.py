"""NumPy float64 references of attention and the rules for tokens, and inputs for them."""

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
# Padding, and samples that lack a modality; the last sample has none.
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
    """Attention of one query and one head at a time."""
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
    """`TransformerBlock`; `None` is a mask of ones."""
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
    for transformer_block in layer.blocks:
        x = block(transformer_block, x, mask, context, context_mask)
    return layer_norm(layer.output_norm, x)


def positions(count, dim):
    """Sinusoidal position embeddings, entry by entry."""
    table = np.zeros((count, dim))
    for position in range(count):
        for i in range(dim):
            angle = position / 10000 ** ((i - i % 2) / dim)
            table[position, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return table


# Each reference has the arguments of `TokenFusionRule.combine`, with a mask for every modality.


def project(layer, inputs):
    return {name: dense(layer.projections[name], x) for name, x in inputs.items()}


def concatenate(tensors, axis=1):
    return np.concatenate(list(tensors), axis=axis)


def repeat(weight, batch_size):
    return np.repeat(np.float64(to_numpy(weight)), batch_size, axis=0)


def mult(layer, inputs, mask):
    tokens = {
        name: x + positions(x.shape[1], x.shape[2]) for name, x in project(layer, inputs).items()
    }
    fused = []
    for target, x in tokens.items():
        attended = [
            transformer(pair, x, None, tokens[source], mask[source])
            for source, pair in layer.pairs[target].items()
        ]
        joined = transformer(layer.selfs[target], concatenate(attended, axis=2), mask[target])
        fused.append(dense(layer.outputs[target], joined))
    return concatenate(fused), concatenate(mask.values())


def bottleneck(layer, inputs, mask):
    """One sample at a time. Missing modalities do not update the shared tokens."""
    count = layer.num_bottlenecks
    fused, fused_mask = [], []
    for row in range(len(mask[layer.modalities[0]])):
        tokens = {name: x[row : row + 1] for name, x in project(layer, inputs).items()}
        row_mask = {name: m[row : row + 1] for name, m in mask.items()}
        shared, shared_mask = repeat(layer.bottlenecks, 1), np.ones((1, count), "bool")
        for blocks in layer.blocks:
            updates = []
            for name in tokens:
                x = concatenate([tokens[name], shared])
                x = block(blocks[name], x, concatenate([row_mask[name], shared_mask]))
                tokens[name] = x[:, :-count]
                if row_mask[name].any():
                    updates.append(x[:, -count:])
            shared = np.mean(updates, axis=0) if updates else shared
        fused.append(layer_norm(layer.output_norm, concatenate([*tokens.values(), shared])))
        fused_mask.append(concatenate([*row_mask.values(), shared_mask]))
    return np.concatenate(fused), np.concatenate(fused_mask)


def perceiver_resampler(layer, inputs, mask):
    tokens = project(layer, inputs)
    latents = repeat(layer.latents, len(mask[layer.modalities[0]]))
    latents_mask = np.ones(latents.shape[:2], "bool")
    context_mask = concatenate([*mask.values(), latents_mask])
    for latent_block in layer.blocks:
        context = concatenate([*tokens.values(), latents])
        latents = block(latent_block, latents, None, context, context_mask)
    return layer_norm(layer.output_norm, latents), latents_mask


def q_former(layer, inputs, mask):
    context, context_mask = concatenate(project(layer, inputs).values()), concatenate(mask.values())
    queries = repeat(layer.queries, len(context))
    for self_block, *cross_blocks in layer.blocks:
        queries = block(self_block, queries)
        for cross_block in cross_blocks:
            queries = block(cross_block, queries, None, context, context_mask)
    return layer_norm(layer.output_norm, queries), np.ones(queries.shape[:2], "bool")


def gated_cross_attention(layer, inputs, mask):
    first, *others = layer.modalities
    x = dense(layer.projection, inputs[first])
    context = concatenate(dense(layer.context_projections[name], inputs[name]) for name in others)
    context_mask = concatenate(mask[name] for name in others)
    for cross_block in layer.blocks:
        x = block(cross_block, x, None, context, context_mask)
    return x, mask[first]


def deep_set(layer, inputs, mask):
    sums, counts = {}, {}
    for name, x in inputs.items():
        hidden = gelu(dense(layer.element_hidden[name], x))
        elements = gelu(dense(layer.element_output[name], hidden))
        sums[name] = np.stack([e[m].sum(axis=0) for e, m in zip(elements, mask[name], strict=True)])
        counts[name] = mask[name].sum(axis=1, keepdims=True)
    if not layer.per_modality:
        sums, counts = {"union": sum(sums.values())}, {"union": sum(counts.values())}
    if layer.average:
        sums = {name: x / np.maximum(counts[name], 1) for name, x in sums.items()}
    sets = [
        dense(layer.set_output[name], gelu(dense(layer.set_hidden[name], x)))
        for name, x in sums.items()
    ]
    fused = np.stack(sets, axis=1)
    if layer.per_modality:
        return fused, concatenate(counts.values()) > 0
    return fused, np.ones((len(fused), 1), "bool")


def union(layer, inputs, mask):
    return concatenate(project(layer, inputs).values()), concatenate(mask.values())


SMALL = {"output_dim": 8, "num_heads": 2}
# name -> a function that makes the layer, and its reference
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
    """The mean of the unmasked tokens."""
    return np.stack(
        [x[m].mean(axis=0) if m.any() else 0 * x[0] for x, m in zip(tokens, mask, strict=True)]
    )


def randomize(layer, scale=0.5):
    """Assigns large random weights, also to gates and offsets, and returns the layer."""
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))
    return layer


def make_reference_inputs(names):
    """Inputs with zeros where a token is masked, in float64, and the masks."""
    mask = {name: MASK[name] for name in names}
    inputs = {
        name: np.where(mask[name][..., None], np.float64(INPUTS[name]), 0.0) for name in names
    }
    return inputs, mask

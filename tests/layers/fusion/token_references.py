"""Attention and the layers made of it in NumPy float64, and tokens with something missing."""

import math

import numpy as np
from layer_checks import to_numpy

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

"""Sizes that all peers of fusion_layers.py share."""

import numpy as np

THREADS = 2
BATCH, TOKEN_BATCH, TENSOR_BATCH = 1024, 32, 64
OUTPUT, TENSOR_OUTPUT, TOKEN_DIM, HEADS, LAYERS = 256, 64, 128, 4, 2
# Vectors, and small ones for the tensor product, whose size is the product of their sizes.
DIMS = {"text": 768, "audio": 128, "video": 512}
TENSOR_DIMS = {"text": 64, "audio": 32, "video": 32}
TOKENS = {"text": (32, 256), "audio": (100, 64), "video": (49, 192)}
LATENTS, QUERIES, BOTTLENECKS = 64, 32, 4
# Query tokens, key tokens and dim: a caption and an image grid, and few queries with many keys.
ATTENTION = {"caption_over_image": (32, 20, 196, 256), "few_over_many": (4, 64, 4096, 256)}
MEMORY_KEYS = (4096, 8192, 16384)

VECTOR_RULES = (
    "concat",
    "sum",
    "weighted_sum",
    "gated",
    "low_rank",
    "product_of_experts",
    "tensor",
)
PAIR_RULES = ("film", "mlb", "mutan", "block", "mfb", "mfh", "mcb")
TOKEN_RULES = (
    "mult",
    "bottleneck",
    "perceiver_resampler",
    "q_former",
    "gated_cross_attention",
    "deep_set",
)


def rule_shapes(name):
    """Returns the input shape of a rule for each modality."""
    if name in TOKEN_RULES:
        return {m: (TOKEN_BATCH, *shape) for m, shape in TOKENS.items()}
    if name == "tensor":
        return {m: (TENSOR_BATCH, dim) for m, dim in TENSOR_DIMS.items()}
    pair = ("text", "video") if name in PAIR_RULES else tuple(DIMS)
    return {m: (BATCH, DIMS[m]) for m in pair}


def rule_output(name):
    if name == "tensor":
        return TENSOR_OUTPUT
    return TOKEN_DIM if name in TOKEN_RULES else OUTPUT


def random_arrays(shapes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}

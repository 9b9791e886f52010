"""Sizes, inputs and operation counts that all implementations in the GPU benchmark share."""

import dataclasses
import os

import numpy as np

VOCABULARY_SIZE, DIM, LAYERS, HEADS, MLP_DIM, LENGTH, CAPTIONS = 2538, 384, 3, 6, 1536, 22, 5
IMAGE_TOKENS, IMAGE_DIM = 81, 1280
START, END, PAD, UNKNOWN = 1, 2, 0, 3
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, DROPOUT = 8e-4, 0.05, 0.1, 0.2
CLASSES, HIDDEN = 40, 128
GAMMA, REGULARIZATION, ITERATIONS = 1.0, 0.1, 100


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes for a GPU; `tiny()` runs on a CPU in seconds.

    Attributes:
        training_batch: int. Images per training step, each with `CAPTIONS` captions.
        decoding_batches: ints. Batch sizes for captioning.
        rule_factor: int. The batch sizes of fusion rules, as multiples of the CPU benchmark's.
        rules: names of the fusion rules.
        attention: batch, queries, keys and dim of cross-modal attention.
        graph: nodes, directed edges and features; by default those of undirected ogbn-arxiv.
        alignment: batch, rows and columns of the costs for soft-DTW and Sinkhorn.
        seconds: float. The minimum time of a measurement.
        dtypes: names of the dtypes, the most important first.
    """

    training_batch: int = 256
    decoding_batches: tuple = (1, 32, 256)
    rule_factor: int = 16
    rules: tuple = (
        "concat",
        "gated",
        "low_rank",
        "tensor",
        "film",
        "mutan",
        "mfb",
        "mcb",
        "mult",
        "bottleneck",
        "perceiver_resampler",
        "q_former",
    )
    attention: tuple = (4, 1024, 16384, 512)
    graph: tuple = (169_343, 2_332_486, 128)
    alignment: tuple = (32, 256, 256)
    seconds: float = 0.5
    dtypes: tuple = ("bfloat16", "float32", "float16")


TINY = Sizes(
    training_batch=2,
    decoding_batches=(1, 2),
    rule_factor=1,
    rules=("concat", "film"),
    attention=(1, 4, 32, 16),
    graph=(30, 100, 8),
    alignment=(2, 6, 5),
    seconds=0.0,
    dtypes=("bfloat16",),
)


def sizes():
    return TINY if os.environ.get("GPU_TINY") == "1" else Sizes()


def list_cases():
    """Returns the names of all cases, the most important first."""
    chosen = sizes()
    return [
        "captioner_training",
        *(f"captioner_decoding_{batch}" for batch in chosen.decoding_batches),
        "attention",
        "gcn",
        "soft_dtw",
        "sinkhorn",
        *(f"fusion_{rule}" for rule in chosen.rules),
    ]


def draw_floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def draw_caption_batch(batch):
    """Returns image tokens, input ids and target ids of a training step."""
    rng = np.random.default_rng(0)
    ids = rng.integers(4, VOCABULARY_SIZE, (2, batch, CAPTIONS, LENGTH)).astype("int32")
    return np.clip(draw_floats(batch, IMAGE_TOKENS, IMAGE_DIM), 0, 6), *ids


def draw_graph():
    """Returns node features, unique undirected edges, and labels."""
    nodes, edges, features = sizes().graph
    rng = np.random.default_rng(0)
    pairs = np.unique(np.sort(rng.integers(0, nodes, (2, edges // 2)), axis=0), axis=1)
    pairs = pairs[:, pairs[0] != pairs[1]]
    edge_index = np.concatenate([pairs, pairs[::-1]], axis=1).astype("int32")
    labels = rng.integers(0, CLASSES, nodes).astype("int32")
    return draw_floats(nodes, features), edge_index, labels


def count_flops(case):
    """Returns the operations of a case (a multiply-add is two), or `None` if they are not counted.

    Only matrix products are counted; a training step counts as three forward passes.
    """
    chosen = sizes()
    if case == "captioner_training":
        tokens = CAPTIONS * LENGTH
        return 3 * chosen.training_batch * _count_decoder_flops(tokens, LENGTH / 2)
    if case.startswith("captioner_decoding_"):
        batch = int(case.rpartition("_")[2])
        return batch * _count_decoder_flops(LENGTH, LENGTH / 2)
    if case == "attention":
        batch, queries, keys, dim = chosen.attention
        projections = 2 * dim * dim * (2 * queries + 2 * keys)
        return 3 * batch * (projections + 4 * queries * keys * dim)
    if case == "gcn":
        nodes, edges, features = chosen.graph
        dense = 2 * nodes * (features * HIDDEN + HIDDEN * CLASSES)
        return 3 * (dense + 2 * (edges + nodes) * (HIDDEN + CLASSES))
    return None


def _count_decoder_flops(tokens, context):
    """Returns the operations for the tokens of an image; each attends to `context` earlier
    tokens."""
    attention = 2 * DIM * DIM * 6 * tokens + 4 * tokens * DIM * (context + IMAGE_TOKENS)
    image = 2 * IMAGE_DIM * DIM * 2 * IMAGE_TOKENS
    mlp = 4 * DIM * MLP_DIM * tokens
    return LAYERS * (attention + image + mlp) + 2 * DIM * VOCABULARY_SIZE * tokens

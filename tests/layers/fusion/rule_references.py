"""NumPy float64 references of the combination rules for vectors, and inputs for them."""

import numpy as np
from layer_checks import to_numpy

from keras_mmfusion.layers.fusion import (
    BlockFusion,
    ConcatFusion,
    FiLMFusion,
    GatedFusion,
    LowRankFusion,
    MCBFusion,
    MFBFusion,
    MLBFusion,
    MutanFusion,
    ProductOfExperts,
    SumFusion,
    TensorFusion,
    WeightedSumFusion,
)

NAMES = ("image", "text", "audio")
DIMS = {"image": 5, "text": 3, "audio": 4}
RNG = np.random.default_rng(0)
INPUTS = {name: RNG.normal(size=(4, dim)).astype("float32") for name, dim in DIMS.items()}
# Each modality is missing from some samples; the last sample has none.
MASK = {
    "image": np.array([1, 1, 0, 0], "bool"),
    "text": np.array([1, 0, 1, 0], "bool"),
    "audio": np.array([1, 1, 1, 0], "bool"),
}


# Each reference has the arguments of `FusionRule.combine`, with masks as floats (batch, 1).


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(layer, x):
    kernel, bias = map(np.float64, layer.get_weights())
    return x @ kernel + bias


def append_ones(x):
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def concatenate(inputs):
    return np.concatenate(list(inputs.values()), axis=1)


def concat(layer, inputs, mask):
    joined = concatenate(inputs)
    return joined if layer.output_dim is None else dense(layer.output_dense, joined)


def total(layer, inputs, mask):
    return sum(mask[name] * dense(layer.projections[name], x) for name, x in inputs.items())


def weighted_sum(layer, inputs, mask):
    fused = np.zeros((len(mask[layer.modalities[0]]), layer.output_dim))
    score = np.float64(to_numpy(layer.score))
    for row in range(len(fused)):
        hidden = [dense(layer.projections[name], x[row]) for name, x in inputs.items()]
        scores = [np.tanh(h) @ score[:, 0] for h in hidden] if layer.per_sample else score
        weights = np.exp(scores) * [mask[name][row, 0] for name in inputs]
        if weights.sum():
            fused[row] = (weights / weights.sum()) @ hidden
    return fused


def gated(layer, inputs, mask):
    joined = concatenate(inputs)
    gates = {name: sigmoid(dense(gate, joined)) for name, gate in layer.gates.items()}
    if len(inputs) == 2:
        first, second = inputs
        gates[second] = 1 - gates[first]
    return sum(
        mask[name] * gates[name] * np.tanh(dense(layer.projections[name], x))
        for name, x in inputs.items()
    )


def tensor(layer, inputs, mask):
    rows = []
    for row in range(len(next(iter(inputs.values())))):
        product = np.ones(())
        for x in inputs.values():
            product = np.multiply.outer(product, np.append(x[row], 1.0))
        rows.append(product.reshape(-1))
    z = np.stack(rows)
    return z if layer.output_dim is None else dense(layer.output_dense, z)


def low_rank(layer, inputs, mask):
    """Multiplies the product tensor by the weight tensor `Σ_r w_r ⊗_m W_m⁽ʳ⁾`."""
    factors = []
    for name in inputs:
        kernel, bias = layer.factors[name].get_weights()
        stacked = np.float64(np.concatenate([kernel, bias[None]]))
        factors.append(stacked.reshape(len(kernel) + 1, layer.rank, -1))
    letters = "abcdef"[: len(factors)]
    parts = ",".join(f"{letter}ro" for letter in letters)
    weights = np.einsum(
        f"{parts},r->{letters}o", *factors, np.float64(to_numpy(layer.rank_weights))[:, 0]
    )
    rows = ",".join(f"n{letter}" for letter in letters)
    product = np.einsum(f"{rows}->n{letters}", *map(append_ones, inputs.values()))
    return np.einsum(f"n{letters},{letters}o->no", product, weights) + to_numpy(layer.bias)


def product_of_experts(layer, inputs, mask):
    total, weighted = 1.0, 0.0
    for name, x in inputs.items():
        log_variance = np.clip(dense(layer.log_variances[name], x), -10, 10)
        precision = mask[name] * np.exp(-log_variance)
        total, weighted = total + precision, weighted + precision * dense(layer.means[name], x)
    return weighted / total


def fill_ones(factor, mask):
    return np.where(mask > 0, factor, 1.0)


def normalize_power(x):
    rooted = np.sign(x) * np.sqrt(np.abs(x))
    return rooted / np.linalg.norm(rooted, axis=-1, keepdims=True)


def mlb(layer, inputs, mask):
    first, second = (
        fill_ones(np.tanh(dense(layer.projections[name], x)), mask[name])
        for name, x in inputs.items()
    )
    return dense(layer.output_dense, first * second)


def mfb(layer, inputs, mask):
    product, pooled = 1.0, []
    for projections in layer.blocks:
        for name, x in inputs.items():
            product = product * fill_ones(dense(projections[name], x), mask[name])
        sums = product.reshape(len(product), layer.output_dim, layer.factor_count).sum(axis=2)
        pooled.append(normalize_power(sums))
    return np.concatenate(pooled, axis=1)


def mutan(layer, inputs, mask):
    slices = {}
    for name, x in inputs.items():
        hidden = np.tanh(dense(layer.projections[name], x))
        kernel, bias = map(np.float64, layer.core[name].get_weights())
        parts = zip(np.split(kernel, layer.rank, axis=1), np.split(bias, layer.rank), strict=True)
        slices[name] = [fill_ones(hidden @ k + b, mask[name]) for k, b in parts]
    pooled = sum(first * second for first, second in zip(*slices.values(), strict=True))
    return dense(layer.output_dense, pooled)


def block(layer, inputs, mask):
    pooled = []
    for c in range(layer.chunks):
        product = 1.0
        for name, x in inputs.items():
            chunk = np.split(dense(layer.projections[name], x), layer.chunks, axis=1)[c]
            kernel, bias = (np.float64(to_numpy(weight))[c] for weight in layer.cores[name])
            product = product * fill_ones(chunk @ kernel + bias, mask[name])
        pooled.append(normalize_power(sum(np.split(product, layer.rank, axis=1))))
    return dense(layer.output_dense, np.concatenate(pooled, axis=1))


def sketch_matrices(layer):
    """The sketch of each modality as a matrix `(dim, size)` with one sign in each row."""
    matrices = {}
    for name, (indices, signs) in layer.sketches.items():
        matrices[name] = np.zeros((len(indices), layer.output_dim))
        matrices[name][np.arange(len(indices)), indices] = signs
    return matrices


def mcb(layer, inputs, mask):
    """Computes the circular convolution as a sum, without a Fourier transform."""
    size = layer.output_dim
    matrices = sketch_matrices(layer)
    first, second = (
        np.where(mask[name] > 0, x @ matrices[name], np.eye(1, size)) for name, x in inputs.items()
    )
    shifted = [np.roll(second, k, axis=1) * first[:, k : k + 1] for k in range(size)]
    return normalize_power(sum(shifted))


def film(layer, inputs, mask):
    features, condition = layer.modalities
    hidden = mask[features] * dense(layer.projection, inputs[features])
    scale = 1 + mask[condition] * dense(layer.scale, inputs[condition])
    return scale * hidden + mask[condition] * dense(layer.shift, inputs[condition])


PAIR = NAMES[:2]
# name -> a function that makes the layer, and its reference
RULES = {
    "concat": (lambda **kw: ConcatFusion(NAMES, output_dim=6, **kw), concat),
    "sum": (lambda **kw: SumFusion(NAMES, 6, **kw), total),
    "weighted_sum": (lambda **kw: WeightedSumFusion(NAMES, 6, **kw), weighted_sum),
    "weighted_sum_per_sample": (
        lambda **kw: WeightedSumFusion(NAMES, 6, per_sample=True, **kw),
        weighted_sum,
    ),
    "gated": (lambda **kw: GatedFusion(NAMES, 6, **kw), gated),
    "tensor": (lambda **kw: TensorFusion(NAMES, 6, **kw), tensor),
    "low_rank": (lambda **kw: LowRankFusion(NAMES, 6, rank=3, **kw), low_rank),
    "product_of_experts": (lambda **kw: ProductOfExperts(NAMES, 6, **kw), product_of_experts),
    "mlb": (lambda **kw: MLBFusion(PAIR, 6, rank=7, **kw), mlb),
    "mfb": (lambda **kw: MFBFusion(PAIR, 6, factors=3, **kw), mfb),
    "mfh": (lambda **kw: MFBFusion(PAIR, 6, factors=3, order=2, **kw), mfb),
    "mutan": (lambda **kw: MutanFusion(PAIR, 6, hidden_dim=7, core_dim=8, rank=3, **kw), mutan),
    "block": (lambda **kw: BlockFusion(PAIR, 6, hidden_dim=8, chunks=2, rank=3, **kw), block),
    "mcb": (lambda **kw: MCBFusion(PAIR, 16, seed=1, **kw), mcb),
    "film": (lambda **kw: FiLMFusion(PAIR, 6, **kw), film),
}


def select(names, *dicts):
    return ({name: values[name] for name in names} for values in dicts)


def make(rule, names=None):
    """A built layer with large random weights, for the rule's modalities or `names`."""
    layer = RULES[rule][0]()
    layer.modalities = names or layer.modalities
    layer.build({name: (None, DIMS[name]) for name in layer.modalities})
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return layer


def make_reference_inputs(names):
    """Inputs with zeros where a modality is missing, and masks `(batch, 1)`, in float64."""
    mask = {name: np.float64(MASK[name])[:, None] for name in names}
    return {name: np.float64(INPUTS[name]) * mask[name] for name in names}, mask

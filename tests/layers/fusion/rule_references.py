"""The combination rules' formulas in NumPy float64, and inputs with something missing for them."""

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
# Each modality is missing somewhere; the last sample has none at all.
MASK = {
    "image": np.array([1, 1, 0, 0], "bool"),
    "text": np.array([1, 0, 1, 0], "bool"),
    "audio": np.array([1, 1, 1, 0], "bool"),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(layer, x):
    kernel, bias = map(np.float64, layer.get_weights())
    return x @ kernel + bias


def with_ones(x):
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def concat(layer, values, present):
    joined = np.concatenate(values, axis=1)
    return joined if layer.output_dim is None else dense(layer.output_dense, joined)


def total(layer, values, present):
    parts = zip(layer.projections, values, present, strict=True)
    return sum(here[:, None] * dense(project, x) for project, x, here in parts)


def weighted_sum(layer, values, present):
    fused = np.zeros((len(values[0]), layer.output_dim))
    score = np.float64(to_numpy(layer.score))
    for row in range(len(fused)):
        hidden = [dense(p, x[row]) for p, x in zip(layer.projections, values, strict=True)]
        scores = [np.tanh(h) @ score[:, 0] for h in hidden] if layer.per_sample else score
        weights = np.exp(scores) * [here[row] for here in present]
        if weights.sum():
            fused[row] = (weights / weights.sum()) @ hidden
    return fused


def gated(layer, values, present):
    joined = np.concatenate(values, axis=1)
    gates = [sigmoid(dense(gate, joined)) for gate in layer.gates]
    gates += [1 - gates[0]] * (len(values) == 2)
    parts = zip(layer.projections, values, gates, present, strict=True)
    return sum(
        here[:, None] * gate * np.tanh(dense(project, x)) for project, x, gate, here in parts
    )


def tensor(layer, values, present):
    rows = []
    for row in range(len(values[0])):
        product = np.ones(())
        for x in values:
            product = np.multiply.outer(product, np.append(x[row], 1.0))
        rows.append(product.reshape(-1))
    z = np.stack(rows)
    return z if layer.output_dim is None else dense(layer.output_dense, z)


def low_rank(layer, values, present):
    """The weight tensor in full, `Σ_r w_r ⊗_m W_m⁽ʳ⁾`, times the product tensor."""
    factors = [
        np.float64(np.concatenate([kernel, bias[None]])).reshape(len(kernel) + 1, layer.rank, -1)
        for kernel, bias in (factor.get_weights() for factor in layer.factors)
    ]
    letters = "abcdef"[: len(factors)]
    parts = ",".join(f"{letter}ro" for letter in letters)
    weights = np.einsum(
        f"{parts},r->{letters}o", *factors, np.float64(to_numpy(layer.rank_weights))[:, 0]
    )
    rows = ",".join(f"n{letter}" for letter in letters)
    product = np.einsum(f"{rows}->n{letters}", *map(with_ones, values))
    return np.einsum(f"n{letters},{letters}o->no", product, weights) + to_numpy(layer.bias)


def product_of_experts(layer, values, present):
    precision, weighted = 1.0, 0.0
    for mean, log_variance, x, here in zip(
        layer.means, layer.log_variances, values, present, strict=True
    ):
        own = here[:, None] * np.exp(-np.clip(dense(log_variance, x), -10, 10))
        precision, weighted = precision + own, weighted + own * dense(mean, x)
    return weighted / precision


def or_ones(factor, here):
    return np.where(here.reshape(-1, *[1] * (factor.ndim - 1)) > 0, factor, 1.0)


def normalized(x):
    rooted = np.sign(x) * np.sqrt(np.abs(x))
    return rooted / np.linalg.norm(rooted, axis=-1, keepdims=True)


def mlb(layer, values, present):
    parts = zip(layer.projections, values, present, strict=True)
    one, other = (or_ones(np.tanh(dense(p, x)), here) for p, x, here in parts)
    return dense(layer.output_dense, one * other)


def mfb(layer, values, present):
    product, pooled = 1.0, []
    for projections in layer.blocks:
        for project, x, here in zip(projections, values, present, strict=True):
            product = product * or_ones(dense(project, x), here)
        sums = product.reshape(len(product), layer.output_dim, layer.factor_count).sum(axis=2)
        pooled.append(normalized(sums))
    return np.concatenate(pooled, axis=1)


def mutan(layer, values, present):
    hidden = [np.tanh(dense(p, x)) for p, x in zip(layer.projections, values, strict=True)]
    slices = slice_weights(layer.core, layer.rank)
    total = 0.0
    for (m, m_bias), (n, n_bias) in zip(*slices, strict=True):
        one = or_ones(hidden[0] @ m + m_bias, present[0])
        total = total + one * or_ones(hidden[1] @ n + n_bias, present[1])
    return dense(layer.output_dense, total)


def slice_weights(denses, rank):
    """For each of two layers its kernels and biases by rank."""
    return [
        list(zip(np.split(kernel, rank, axis=1), np.split(bias, rank), strict=True))
        for kernel, bias in (map(np.float64, each.get_weights()) for each in denses)
    ]


def block(layer, values, present):
    hidden = [dense(p, x) for p, x in zip(layer.projections, values, strict=True)]
    chunked = [np.split(h, layer.chunks, axis=1) for h in hidden]
    cores = [[np.float64(to_numpy(weight)) for weight in core] for core in layer.cores]
    pooled = []
    for c in range(layer.chunks):
        one, other = (
            or_ones(chunked[m][c] @ cores[m][0][c] + cores[m][1][c], present[m]) for m in range(2)
        )
        pooled.append(normalized(sum(np.split(one * other, layer.rank, axis=1))))
    return dense(layer.output_dense, np.concatenate(pooled, axis=1))


def sketch_matrices(layer):
    """The sketch of each modality as a matrix `(dim, size)`, a row with one sign an entry."""
    matrices = []
    for places, signs in layer.sketches:
        matrices.append(np.zeros((len(places), layer.output_dim)))
        matrices[-1][np.arange(len(places)), places] = signs
    return matrices


def mcb(layer, values, present):
    """The circular convolution by its sum, not by a Fourier transform."""
    size = layer.output_dim
    one = np.eye(1, size)
    first, second = (
        np.where(here[:, None] > 0, x @ sketch, one)
        for x, sketch, here in zip(values, sketch_matrices(layer), present, strict=True)
    )
    shifted = [np.roll(second, k, axis=1) * first[:, k : k + 1] for k in range(size)]
    return normalized(sum(shifted))


def film(layer, values, present):
    features, condition = values
    has_features, has_condition = (here[:, None] for here in present)
    hidden = has_features * dense(layer.projection, features)
    scale = 1 + has_condition * dense(layer.scale, condition)
    return scale * hidden + has_condition * dense(layer.shift, condition)


PAIR = NAMES[:2]
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


def only(names, *dicts):
    return ({name: each[name] for name in names} for each in dicts)


def make(rule, names=None):
    """A built layer with weights that are not small, for as many modalities as the rule takes."""
    layer = RULES[rule][0]()
    layer.modalities = names or layer.modalities
    layer.build({name: (None, DIMS[name]) for name in layer.modalities})
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return layer


def masked(names):
    """Zeros where a modality is missing, and what is present, in float64."""
    present = [np.float64(MASK[name]) for name in names]
    values = [
        np.float64(INPUTS[name]) * here[:, None] for name, here in zip(names, present, strict=True)
    ]
    return values, present

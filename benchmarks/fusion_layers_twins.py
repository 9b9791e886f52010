"""All fusion rules in plain PyTorch, with the same number of weights as ours."""

import functools

import torch
from fusion_layer_sizes import BOTTLENECKS, HEADS, LATENTS, LAYERS, QUERIES
from torch import nn
from torch.nn import functional as F


def linears(dims, size):
    return nn.ModuleList(nn.Linear(dim, size) for dim in dims)


def outer(values):
    """Returns the flattened tensor product of `[x; 1]` over the modalities."""
    product = torch.ones(len(values[0]), 1)
    for value in values:
        factor = F.pad(value, (0, 1), value=1.0)
        product = (product.unsqueeze(2) * factor.unsqueeze(1)).flatten(1)
    return product


def power_normalize(x):
    return F.normalize(torch.sign(x) * torch.sqrt(torch.abs(x) + 1e-10), dim=-1)


class Concat(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.output = nn.Linear(sum(dims), size)

    def forward(self, values):
        return self.output(torch.cat(values, dim=1))


class Sum(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, size)

    def forward(self, values):
        return sum(project(x) for project, x in zip(self.projections, values, strict=True))


class WeightedSum(Sum):
    def __init__(self, dims, size):
        super().__init__(dims, size)
        self.score = nn.Parameter(torch.zeros(len(dims)))

    def forward(self, values):
        hidden = torch.stack([p(x) for p, x in zip(self.projections, values, strict=True)], dim=1)
        return (self.score.softmax(dim=0).unsqueeze(1) * hidden).sum(dim=1)


class Gated(Sum):
    def __init__(self, dims, size):
        super().__init__(dims, size)
        self.gates = linears([sum(dims)] * len(dims), size)

    def forward(self, values):
        joined = torch.cat(values, dim=1)
        return sum(
            torch.sigmoid(gate(joined)) * torch.tanh(project(x))
            for project, gate, x in zip(self.projections, self.gates, values, strict=True)
        )


class Tensor(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.output = nn.Linear(functools.reduce(lambda n, dim: n * (dim + 1), dims, 1), size)

    def forward(self, values):
        return self.output(outer(values))


class LowRank(nn.Module):
    rank = 4

    def __init__(self, dims, size):
        super().__init__()
        self.factors = linears(dims, self.rank * size)
        self.rank_weights = nn.Parameter(torch.randn(self.rank, 1))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, values):
        product = 1.0
        for factor, x in zip(self.factors, values, strict=True):
            product = product * factor(x)
        product = product.unflatten(1, (self.rank, -1))
        return (self.rank_weights * product).sum(dim=1) + self.bias


class ProductOfExperts(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.means, self.log_variances = linears(dims, size), linears(dims, size)

    def forward(self, values):
        precisions = [
            torch.exp(-log_variance(x).clamp(-10, 10))
            for log_variance, x in zip(self.log_variances, values, strict=True)
        ]
        weighted = sum(
            precision * mean(x)
            for mean, precision, x in zip(self.means, precisions, values, strict=True)
        )
        return weighted / (1 + sum(precisions))


class FiLM(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.projection = nn.Linear(dims[0], size)
        self.scale, self.shift = nn.Linear(dims[1], size), nn.Linear(dims[1], size)

    def forward(self, values):
        hidden = self.projection(values[0])
        return (1 + self.scale(values[1])) * hidden + self.shift(values[1])


class MLB(nn.Module):
    rank = 256

    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, self.rank)
        self.output = nn.Linear(self.rank, size)

    def forward(self, values):
        one, other = (torch.tanh(p(x)) for p, x in zip(self.projections, values, strict=True))
        return self.output(one * other)


class Mutan(nn.Module):
    hidden, core, rank = 128, 128, 5

    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, self.hidden)
        self.cores = linears([self.hidden] * 2, self.rank * self.core)
        self.output = nn.Linear(self.core, size)

    def forward(self, values):
        one, other = (
            core(torch.tanh(project(x)))
            for core, project, x in zip(self.cores, self.projections, values, strict=True)
        )
        return self.output((one * other).unflatten(1, (self.rank, self.core)).sum(dim=1))


class Block(nn.Module):
    hidden, chunks, rank = 256, 16, 5

    def __init__(self, dims, size):
        super().__init__()
        part = self.hidden // self.chunks
        self.projections = linears(dims, self.hidden)
        self.cores = nn.ParameterList(
            torch.randn(self.chunks, part, self.rank * part) for _ in dims
        )
        self.biases = nn.ParameterList(torch.zeros(self.chunks, self.rank * part) for _ in dims)
        self.output = nn.Linear(self.hidden, size)

    def forward(self, values):
        product = 1.0
        for project, core, bias, x in zip(
            self.projections, self.cores, self.biases, values, strict=True
        ):
            hidden = project(x).unflatten(1, (self.chunks, -1))
            product = product * (torch.einsum("bcs,cst->bct", hidden, core) + bias)
        product = product.unflatten(2, (self.rank, -1)).sum(dim=2)
        return self.output(power_normalize(product).flatten(1))


class MFB(nn.Module):
    factors = 5

    def __init__(self, dims, size, order=1):
        super().__init__()
        self.blocks = nn.ModuleList(linears(dims, size * self.factors) for _ in range(order))

    def forward(self, values):
        product, pooled = 1.0, []
        for block in self.blocks:
            one, other = (project(x) for project, x in zip(block, values, strict=True))
            product = product * one * other
            pooled.append(power_normalize(product.unflatten(1, (-1, self.factors)).sum(dim=2)))
        return torch.cat(pooled, dim=1)


class MCB(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.size = size
        self.indices = [torch.randint(size, (dim,)) for dim in dims]
        self.signs = [torch.randint(2, (dim,)) * 2.0 - 1 for dim in dims]

    def forward(self, values):
        spectrum = 1.0
        for index, sign, x in zip(self.indices, self.signs, values, strict=True):
            sketch = torch.zeros(len(x), self.size).index_add(1, index, sign * x)
            spectrum = spectrum * torch.fft.rfft(sketch)
        return power_normalize(torch.fft.irfft(spectrum, n=self.size))


class TransformerBlock(nn.Module):
    """Pre-norm self-attention, or cross-attention with a context, followed by an MLP."""

    def __init__(self, dim, context=False, mlp=True, gated=False):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim) if context else None
        self.attention = nn.MultiheadAttention(dim, HEADS, batch_first=True)
        self.mlp = None
        if mlp:
            self.mlp = nn.Sequential(
                nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
            )
        self.gates = nn.Parameter(torch.zeros(2)) if gated else None

    def forward(self, x, context=None):
        query = self.norm(x)
        keys = query if context is None else self.context_norm(context)
        update, _ = self.attention(query, keys, keys, need_weights=False)
        x = x + (update if self.gates is None else self.gates[0].tanh() * update)
        if self.mlp is None:
            return x
        update = self.mlp(x)
        return x + (update if self.gates is None else self.gates[1].tanh() * update)


class Stack(nn.Module):
    """Blocks followed by a normalization."""

    def __init__(self, dim, context):
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(dim, context) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, context=None):
        for block in self.blocks:
            x = block(x, context)
        return self.norm(x)


def with_positions(x):
    positions = torch.arange(x.shape[1]).unsqueeze(1)
    rates = torch.exp(torch.arange(0, x.shape[2], 2) * (-9.21 / x.shape[2]))
    angles = positions * rates
    return x + torch.cat([angles.sin(), angles.cos()], dim=1)


class MulT(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        count = len(dims)
        self.projections = linears(dims, size)
        self.pairs = nn.ModuleList(
            nn.ModuleList(Stack(size, True) for _ in range(count - 1)) for _ in range(count)
        )
        joined = (count - 1) * size
        self.selfs = nn.ModuleList(Stack(joined, False) for _ in range(count))
        self.outputs = linears([joined] * count, size)

    def forward(self, values):
        tokens = [with_positions(p(x)) for p, x in zip(self.projections, values, strict=True)]
        fused = []
        for m, target in enumerate(tokens):
            sources = [source for k, source in enumerate(tokens) if k != m]
            read = [stack(target, z) for stack, z in zip(self.pairs[m], sources, strict=True)]
            fused.append(self.outputs[m](self.selfs[m](torch.cat(read, dim=2))))
        return torch.cat(fused, dim=1)


class Bottleneck(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, size)
        self.shared = nn.Parameter(torch.randn(1, BOTTLENECKS, size))
        self.blocks = nn.ModuleList(
            nn.ModuleList(TransformerBlock(size) for _ in dims) for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, values):
        tokens = [project(x) for project, x in zip(self.projections, values, strict=True)]
        shared = self.shared.expand(len(tokens[0]), -1, -1)
        for blocks in self.blocks:
            both = [
                block(torch.cat([x, shared], dim=1))
                for block, x in zip(blocks, tokens, strict=True)
            ]
            tokens = [x[:, :-BOTTLENECKS] for x in both]
            shared = sum(x[:, -BOTTLENECKS:] for x in both) / len(both)
        return self.norm(torch.cat([*tokens, shared], dim=1))


class Perceiver(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, size)
        self.latents = nn.Parameter(torch.randn(1, LATENTS, size))
        self.blocks = nn.ModuleList(TransformerBlock(size, context=True) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(size)

    def forward(self, values):
        tokens = [project(x) for project, x in zip(self.projections, values, strict=True)]
        latents = self.latents.expand(len(tokens[0]), -1, -1)
        for block in self.blocks:
            latents = block(latents, torch.cat([*tokens, latents], dim=1))
        return self.norm(latents)


class QFormer(nn.Module):
    """Queries attend to each other and, in every second layer, to the tokens."""

    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, size)
        self.queries = nn.Parameter(torch.randn(1, QUERIES, size))
        self.own = nn.ModuleList(TransformerBlock(size, mlp=i % 2 == 1) for i in range(LAYERS))
        self.cross = nn.ModuleList(TransformerBlock(size, True) for _ in range(0, LAYERS, 2))
        self.norm = nn.LayerNorm(size)

    def forward(self, values):
        tokens = [project(x) for project, x in zip(self.projections, values, strict=True)]
        context = torch.cat(tokens, dim=1)
        queries = self.queries.expand(len(context), -1, -1)
        for i, own in enumerate(self.own):
            queries = own(queries)
            if i % 2 == 0:
                queries = self.cross[i // 2](queries, context)
        return self.norm(queries)


class GatedCrossAttention(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.projections = linears(dims, size)
        self.blocks = nn.ModuleList(
            TransformerBlock(size, context=True, gated=True) for _ in range(LAYERS)
        )

    def forward(self, values):
        x, *others = (project(x) for project, x in zip(self.projections, values, strict=True))
        context = torch.cat(others, dim=1)
        for block in self.blocks:
            x = block(x, context)
        return x


class DeepSet(nn.Module):
    def __init__(self, dims, size):
        super().__init__()
        self.elements = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, size), nn.GELU(), nn.Linear(size, size), nn.GELU())
            for dim in dims
        )
        self.whole = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, size))

    def forward(self, values):
        elements = [element(x) for element, x in zip(self.elements, values, strict=True)]
        return self.whole(torch.cat(elements, dim=1).sum(dim=1, keepdim=True))


TWINS = {
    "concat": Concat,
    "sum": Sum,
    "weighted_sum": WeightedSum,
    "gated": Gated,
    "tensor": Tensor,
    "low_rank": LowRank,
    "product_of_experts": ProductOfExperts,
    "film": FiLM,
    "mlb": MLB,
    "mutan": Mutan,
    "block": Block,
    "mfb": MFB,
    "mfh": functools.partial(MFB, order=2),
    "mcb": MCB,
    "mult": MulT,
    "bottleneck": Bottleneck,
    "perceiver_resampler": Perceiver,
    "q_former": QFormer,
    "gated_cross_attention": GatedCrossAttention,
    "deep_set": DeepSet,
}

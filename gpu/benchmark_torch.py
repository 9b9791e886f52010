"""A side of the GPU benchmark: the same work in plain PyTorch, compiled where that is usual."""

import benchmark_sizes as given
import torch
from benchmark_sizes import sizes
from fusion_layers_twins import TWINS
from measure import check_captions, check_finite, measure
from plain_torch_captioner import Decoder
from torch import nn
from torch.nn import functional as F

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def run_case(name, dtype):
    """Measures a case in a dtype: a dict of results."""
    torch.manual_seed(0)
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    dtype = getattr(torch, dtype)
    if name.startswith("captioner_decoding_"):
        found = time_decoding(dtype, int(name.rpartition("_")[2]))
    elif name.startswith("fusion_"):
        found = time_rule(dtype, name.removeprefix("fusion_"))
    else:
        cases = {
            "captioner_training": time_training,
            "attention": time_attention,
            "gcn": time_gcn,
            "soft_dtw": time_soft_dtw,
            "sinkhorn": time_sinkhorn,
        }
        found = cases[name](dtype)
    peak = torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None
    return {**found, "peak_bytes": peak}


def time_training(dtype):
    batch = sizes().training_batch
    tokens, inputs, targets = _on_device(*given.caption_batch(batch))
    decoder = Decoder().to(DEVICE).train()
    forward = _compiled(decoder)
    optimizer = torch.optim.AdamW(
        decoder.parameters(),
        given.LEARNING_RATE,
        betas=(0.9, 0.98),
        weight_decay=given.WEIGHT_DECAY,
        fused=DEVICE == "cuda",
    )
    scaler = torch.amp.GradScaler(DEVICE, enabled=dtype == torch.float16 and DEVICE == "cuda")

    def step():
        optimizer.zero_grad()
        with _autocast(dtype):
            logits = forward(inputs, tokens)
        loss = F.cross_entropy(
            logits.float().flatten(0, 2),
            targets.long().flatten(),
            label_smoothing=given.LABEL_SMOOTHING,
        )
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return _measure(step, batch)


def time_decoding(dtype, batch):
    (tokens,) = _on_device(given.caption_batch(batch)[0])
    decoder = Decoder().to(DEVICE).eval()

    def run():
        with torch.no_grad(), _autocast(dtype):
            return greedy_captions(decoder, tokens)

    check_captions(run().cpu().numpy(), given.PAD, given.END)
    return _measure(run, batch, finite=False)


def greedy_captions(decoder, image_tokens):
    """The likeliest tokens, one after the other, with cached keys and values."""
    batch = len(image_tokens)
    heads = _heads
    image = [
        (
            heads(block.cross_attention.key(image_tokens)),
            heads(block.cross_attention.value(image_tokens)),
        )
        for block in decoder.blocks
    ]
    cache = [([], []) for _ in decoder.blocks]
    ids = torch.full((batch, 1), given.START, device=image_tokens.device)
    found = []
    for index in range(given.LENGTH):
        x = decoder.token_embedding(ids) + decoder.position_embedding[index]
        for block, (keys, values), context in zip(decoder.blocks, cache, image, strict=True):
            normed = block.self_norm(x)
            attention = block.self_attention
            keys.append(heads(attention.key(normed)))
            values.append(heads(attention.value(normed)))
            x = x + _attend(attention, normed, torch.cat(keys, 2), torch.cat(values, 2))
            x = x + _attend(block.cross_attention, block.cross_norm(x), *context)
            x = x + block.mlp(block.mlp_norm(x))
        logits = F.linear(decoder.norm(x), decoder.token_embedding.weight)[:, 0]
        blocked = [given.START, given.PAD, given.UNKNOWN]
        if index < given.LENGTH - 1:
            blocked.append(given.END)
        logits[:, blocked] = -torch.inf
        ids = logits.argmax(dim=-1, keepdim=True)
        found.append(ids)
    return torch.cat(found, dim=1)


def _heads(x):
    return x.unflatten(-1, (given.HEADS, -1)).transpose(1, 2)


def _attend(attention, x, keys, values):
    attended = F.scaled_dot_product_attention(_heads(attention.query(x)), keys, values)
    return attention.output(attended.transpose(1, 2).flatten(2))


def time_rule(dtype, name):
    import fusion_layer_sizes as cpu

    shapes = {m: (sizes().rule_factor * s[0], *s[1:]) for m, s in cpu.rule_shapes(name).items()}
    dims = [shape[-1] for shape in shapes.values()]
    module = TWINS[name](dims, cpu.rule_output(name)).to(DEVICE)
    inputs = _on_device(*cpu.random_arrays(shapes).values())
    return _time_passes(module, lambda *x: module(x), inputs, dtype, next(iter(shapes.values()))[0])


def time_attention(dtype):
    batch, queries, keys, dim = sizes().attention
    module = nn.MultiheadAttention(dim, 8, batch_first=True).to(DEVICE)
    inputs = _on_device(
        given.random_floats(batch, queries, dim), given.random_floats(batch, keys, dim, seed=1)
    )

    def call(query, value):
        return module(query, value, value, need_weights=False)[0]

    return _time_passes(module, call, inputs, dtype, batch * queries)


class GCN(nn.Module):
    """Two graph convolutions, each a product with the normalized adjacency in CSR form."""

    def __init__(self, features):
        super().__init__()
        self.hidden = nn.Linear(features, given.HIDDEN)
        self.output = nn.Linear(given.HIDDEN, given.CLASSES)

    def forward(self, adjacency, x):
        x = F.relu(_aggregate(adjacency, F.linear(x, self.hidden.weight)) + self.hidden.bias)
        return _aggregate(adjacency, F.linear(x, self.output.weight)) + self.output.bias


def _aggregate(adjacency, x):
    if DEVICE == "cpu":  # Where sparse products are of float32 alone.
        return torch.sparse.mm(adjacency.float(), x.float()).to(x.dtype)
    return torch.sparse.mm(adjacency, x)


def time_gcn(dtype):
    features, edge_index, labels = given.random_graph()
    x, edges, labels = _on_device(features, edge_index, labels)
    nodes = len(x)
    loops = torch.arange(nodes, device=DEVICE)
    rows, columns = (torch.cat([each.long(), loops]) for each in edges)
    scale = torch.bincount(rows, minlength=nodes).float().rsqrt()
    adjacency = torch.sparse_coo_tensor(
        torch.stack([rows, columns]), scale[rows] * scale[columns], (nodes, nodes)
    ).to_sparse_csr()
    model = GCN(x.shape[1]).to(DEVICE, dtype)
    x, adjacency = x.to(dtype), adjacency.to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(adjacency, x).float(), labels.long())
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _measure(step, nodes)


def time_soft_dtw(dtype):
    return _time_gradient(soft_dtw, _cost(dtype))


def soft_dtw(cost):
    """The sum of the values, by anti-diagonals of all rows at once."""
    batch, rows, columns = cost.shape
    far = cost.new_full((batch, rows + 2), 1e30, dtype=torch.float32)
    row = torch.arange(rows, device=cost.device)
    before, last = far.clone(), far.clone()
    before[:, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        column = diagonal - row
        real = (column >= 0) & (column < columns)
        entries = cost[:, row, column.clamp(0, columns - 1)].float()
        above = torch.stack([before[:, :rows], last[:, :rows], last[:, 1 : rows + 1]])
        least = -given.GAMMA * torch.logsumexp(-above / given.GAMMA, dim=0)
        new = torch.where(real, entries + least, 1e30)
        before, last = last, torch.cat([far[:, :1], new, far[:, :1]], dim=1)
    return last[:, rows].sum()


def time_sinkhorn(dtype):
    return _time_gradient(sinkhorn, _cost(dtype))


def sinkhorn(cost):
    """The sum of the costs of transport, through all iterations."""
    scaled = cost.float() / given.REGULARIZATION
    rows, columns = (torch.full((), n).log().to(cost.device) for n in cost.shape[1:])
    column = scaled.new_zeros(len(cost), 1, cost.shape[2])
    for _ in range(given.ITERATIONS):
        row = -torch.logsumexp(column - scaled, dim=2, keepdim=True) - rows
        column = -torch.logsumexp(row - scaled, dim=1, keepdim=True) - columns
    return ((row + column - scaled).exp() * cost.float()).sum()


def _cost(dtype):
    import numpy as np

    cost = np.random.default_rng(0).random(sizes().alignment).astype("float32")
    return _on_device(cost)[0].to(dtype)


def _time_passes(module, call, inputs, dtype, items):
    forward = _compiled(call)
    inputs = [x.requires_grad_() for x in inputs]
    sources = [*module.parameters(), *inputs]

    def run():
        with _autocast(dtype):
            output = forward(*inputs)
        value = output.float().sum()
        torch.autograd.grad(value, sources, allow_unused=True)
        return value.detach()

    return _measure(run, items)


def _time_gradient(total, cost):
    cost.requires_grad_()

    def run():
        value = total(cost)
        torch.autograd.grad(value, cost)
        return value.detach()

    return _measure(run, len(cost))


def _compiled(function):
    return torch.compile(function) if DEVICE == "cuda" else function


def _autocast(dtype):
    return torch.autocast(DEVICE, dtype, enabled=dtype != torch.float32)


def _on_device(*arrays):
    return [torch.from_numpy(x).to(DEVICE) for x in arrays]


def _measure(run, items, finite=True):
    if finite:
        check_finite([run().float().cpu().numpy()])
    return measure(run, _synchronize, sizes().seconds, items)


def _synchronize(value):
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def matrix_peak(size=8192):
    """Operations a second of a product of bfloat16 matrices: what the GPU gives at best."""
    if DEVICE == "cpu":
        size = 128
    a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    found = measure(lambda: a @ b, _synchronize, sizes().seconds)
    return 2 * size**3 / found["seconds"]

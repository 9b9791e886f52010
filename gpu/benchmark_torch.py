"""The GPU benchmark of plain PyTorch, compiled if this is common practice."""

import benchmark_sizes as workload
import torch
from benchmark_sizes import sizes
from fusion_layers_twins import TWINS
from measure import check_captions, check_finite, measure
from plain_torch_captioner import Decoder
from torch import nn
from torch.nn import functional as F

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def run_case(name, dtype):
    """Measures a case in a dtype; returns a dict of results."""
    torch.manual_seed(0)
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    dtype = getattr(torch, dtype)
    if name.startswith("captioner_decoding_"):
        result = time_decoding(dtype, int(name.rpartition("_")[2]))
    elif name.startswith("fusion_"):
        result = time_rule(dtype, name.removeprefix("fusion_"))
    else:
        cases = {
            "captioner_training": time_training,
            "attention": time_attention,
            "gcn": time_gcn,
            "soft_dtw": time_soft_dtw,
            "sinkhorn": time_sinkhorn,
        }
        result = cases[name](dtype)
    peak = torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None
    return {**result, "peak_bytes": peak}


def time_training(dtype):
    batch = sizes().training_batch
    tokens, inputs, targets = _on_device(*workload.draw_caption_batch(batch))
    decoder = Decoder().to(DEVICE).train()
    forward = _compiled(decoder)
    optimizer = torch.optim.AdamW(
        decoder.parameters(),
        workload.LEARNING_RATE,
        betas=(0.9, 0.98),
        weight_decay=workload.WEIGHT_DECAY,
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
            label_smoothing=workload.LABEL_SMOOTHING,
        )
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return _measure(step, batch)


def time_decoding(dtype, batch):
    (tokens,) = _on_device(workload.draw_caption_batch(batch)[0])
    decoder = Decoder().to(DEVICE).eval()

    def run():
        with torch.no_grad(), _autocast(dtype):
            return greedy_captions(decoder, tokens)

    check_captions(run().cpu().numpy(), workload.PAD, workload.END)
    return _measure(run, batch, finite=False)


def greedy_captions(decoder, image_tokens):
    """Runs greedy search with cached keys and values."""
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
    ids = torch.full((batch, 1), workload.START, device=image_tokens.device)
    result = []
    for index in range(workload.LENGTH):
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
        blocked = [workload.START, workload.PAD, workload.UNKNOWN]
        if index < workload.LENGTH - 1:
            blocked.append(workload.END)
        logits[:, blocked] = -torch.inf
        ids = logits.argmax(dim=-1, keepdim=True)
        result.append(ids)
    return torch.cat(result, dim=1)


def _heads(x):
    return x.unflatten(-1, (workload.HEADS, -1)).transpose(1, 2)


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
        workload.draw_floats(batch, queries, dim), workload.draw_floats(batch, keys, dim, seed=1)
    )

    def call(query, value):
        return module(query, value, value, need_weights=False)[0]

    return _time_passes(module, call, inputs, dtype, batch * queries)


class GCN(nn.Module):
    """Two graph convolutions with the normalized adjacency matrix in CSR format."""

    def __init__(self, features):
        super().__init__()
        self.hidden = nn.Linear(features, workload.HIDDEN)
        self.output = nn.Linear(workload.HIDDEN, workload.CLASSES)

    def forward(self, adjacency, x):
        x = F.relu(_aggregate(adjacency, F.linear(x, self.hidden.weight)) + self.hidden.bias)
        return _aggregate(adjacency, F.linear(x, self.output.weight)) + self.output.bias


def _aggregate(adjacency, x):
    if DEVICE == "cpu":  # Sparse products may support only float32.
        return torch.sparse.mm(adjacency.float(), x.float()).to(x.dtype)
    return torch.sparse.mm(adjacency, x)


def time_gcn(dtype):
    features, edge_index, labels = workload.draw_graph()
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
    """Computes the sum of soft-DTW values, one anti-diagonal at a time."""
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
        soft_min = -workload.GAMMA * torch.logsumexp(-above / workload.GAMMA, dim=0)
        new = torch.where(real, entries + soft_min, 1e30)
        before, last = last, torch.cat([far[:, :1], new, far[:, :1]], dim=1)
    return last[:, rows].sum()


def time_sinkhorn(dtype):
    return _time_gradient(sinkhorn, _cost(dtype))


def sinkhorn(cost):
    """Computes the sum of the transport costs, with all iterations in the gradient."""
    scaled = cost.float() / workload.REGULARIZATION
    rows, columns = (torch.full((), n).log().to(cost.device) for n in cost.shape[1:])
    column = scaled.new_zeros(len(cost), 1, cost.shape[2])
    for _ in range(workload.ITERATIONS):
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


def measure_matrix_peak(size=8192):
    """Measures operations per second of a bfloat16 matrix product, the peak of the GPU."""
    if DEVICE == "cpu":
        size = 128
    a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    result = measure(lambda: a @ b, _synchronize, sizes().seconds)
    return 2 * size**3 / result["seconds"]

"""Peer of fusion_layers.py: the rules and cross-attention in eager PyTorch."""

import functools

import torch
from fusion_layer_sizes import ATTENTION, HEADS, THREADS, random_arrays, rule_output, rule_shapes
from fusion_layers_twins import TWINS
from peer_process import seconds, serve
from torch import nn


def weight_count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def step(module, call, inputs, backward):
    """Returns a function for a forward pass, or a forward and backward pass with input
    gradients."""
    parameters = list(module.parameters())

    def forward():
        with torch.no_grad():
            call()

    def forward_and_backward():
        torch.autograd.grad(call().sum(), [*parameters, *inputs], allow_unused=True)

    return forward_and_backward if backward else forward


@functools.cache
def rule(name):
    shapes = rule_shapes(name)
    module = TWINS[name]([shape[-1] for shape in shapes.values()], rule_output(name))
    inputs = [torch.tensor(x, requires_grad=True) for x in random_arrays(shapes).values()]
    return module, lambda: module(inputs), inputs


@functools.cache
def attention(name):
    batch, queries, keys, dim = ATTENTION[name]
    module = nn.MultiheadAttention(dim, HEADS, batch_first=True)
    arrays = random_arrays({"query": (batch, queries, dim), "value": (batch, keys, dim)})
    query, value = (torch.tensor(x, requires_grad=True) for x in arrays.values())
    return module, lambda: module(query, value, value, need_weights=False)[0], [query, value]


def time_rule(layer, backward, repeats):
    module, call, inputs = rule(layer)
    return time_passes(step(module, call, inputs, backward), repeats)


def time_attention(layer, backward, repeats):
    module, call, inputs = attention(layer)
    return time_passes(step(module, call, inputs, backward), repeats)


def time_passes(function, repeats):
    """Returns the mean seconds of several passes after a warm-up."""
    function()
    return seconds(lambda: [function() for _ in range(repeats)]) / repeats


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(
        {"torch": torch.__version__},
        {
            "time_rule": time_rule,
            "time_attention": time_attention,
            "rule_weights": lambda layer: weight_count(rule(layer)[0]),
        },
    )

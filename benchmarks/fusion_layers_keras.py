"""Peer of fusion_layers.py: our layers and Keras's attention on the selected backend."""

import functools
import math
import resource

import keras
from fusion_layer_sizes import (
    ATTENTION,
    HEADS,
    LAYERS,
    TENSOR_BATCH,
    TENSOR_DIMS,
    THREADS,
    TOKEN_RULES,
    random_arrays,
    rule_output,
    rule_shapes,
)
from peer_process import seconds, serve

from keras_mmfusion.layers import CrossModalAttention
from keras_mmfusion.layers.fusion import TensorFusion, get_rule

BACKEND = keras.config.backend()


@functools.cache
def rule(name):
    rule_class, settings = get_rule(name)
    shapes = rule_shapes(name)
    if name in TOKEN_RULES and name != "deep_set":
        settings = {**settings, "num_layers": LAYERS, "num_heads": HEADS}
    layer = rule_class(tuple(shapes), output_dim=rule_output(name), **settings)
    inputs = random_arrays(shapes)
    layer(inputs)
    return layer, layer, inputs


@functools.cache
def attention(name, peer):
    batch, queries, keys, dim = ATTENTION[name]
    inputs = random_arrays({"query": (batch, queries, dim), "value": (batch, keys, dim)})
    kinds = {"ours": CrossModalAttention, "keras": keras.layers.MultiHeadAttention}
    layer = kinds[peer](HEADS, dim // HEADS)
    layer(inputs["query"], inputs["value"])
    return layer, lambda inputs: layer(inputs["query"], inputs["value"]), inputs


def step(layer, call, inputs, backward):
    """Returns a function for a forward pass, or a forward and backward pass with input
    gradients."""
    return (torch_step if BACKEND == "torch" else tensorflow_step)(layer, call, inputs, backward)


def torch_step(layer, call, inputs, backward):
    import torch

    inputs = {name: torch.tensor(x, requires_grad=True) for name, x in inputs.items()}
    sources = [*(weight.value for weight in layer.trainable_weights), *inputs.values()]

    def forward():
        with torch.no_grad():
            call(inputs)

    def forward_and_backward():
        torch.autograd.grad(call(inputs).sum(), sources, allow_unused=True)

    return forward_and_backward if backward else forward


def tensorflow_step(layer, call, inputs, backward):
    import tensorflow as tf

    inputs = {name: tf.constant(x) for name, x in inputs.items()}

    @tf.function(jit_compile=True)
    def forward(inputs):
        return call(inputs)

    @tf.function(jit_compile=True)
    def forward_and_backward(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(call(inputs))
        weights = [weight.value for weight in layer.trainable_weights]
        return tape.gradient(total, (weights, inputs))

    function = forward_and_backward if backward else forward
    return lambda: function(inputs)  # On a CPU, calls are synchronous.


def time_rule(layer, backward, repeats):
    return time_passes(step(*rule(layer), backward), repeats)


def time_attention(layer, peer, backward, repeats):
    return time_passes(step(*attention(layer, peer), backward), repeats)


def time_passes(function, repeats):
    """Returns the mean seconds of several passes after a warm-up."""
    function()
    return seconds(lambda: [function() for _ in range(repeats)]) / repeats


def peak_megabytes(keys):
    """Measures the memory of a forward and backward pass of 64 queries over `keys` keys."""
    inputs = random_arrays({"query": (4, 64, 256), "value": (4, keys, 256)})
    layer = CrossModalAttention(HEADS, 64)
    layer(inputs["query"], inputs["value"][:, :2])
    run = step(layer, lambda x: layer(x["query"], x["value"]), inputs, backward=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def largest_tensor_of_tensor_fusion():
    """Returns the sizes of the largest tensor of any operation, and of that in the formula."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Largest(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            sizes = [x.numel() for x in keras.tree.flatten(result) if hasattr(x, "numel")]
            largest = max([largest, *sizes])
            return result

    layer = TensorFusion(tuple(TENSOR_DIMS))
    inputs = random_arrays({m: (TENSOR_BATCH, dim) for m, dim in TENSOR_DIMS.items()})
    layer(inputs)
    run = torch_step(layer, layer, inputs, backward=True)
    with Largest():
        run()
    product = TENSOR_BATCH * math.prod(dim + 1 for dim in TENSOR_DIMS.values())
    return {"largest": largest, "of_the_formula": product}


def set_threads():
    if BACKEND == "torch":
        import torch

        torch.set_num_threads(THREADS)
        return torch.__version__
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    return tf.__version__


if __name__ == "__main__":
    serve(
        {"keras": keras.__version__, BACKEND: set_threads()},
        {
            "time_rule": time_rule,
            "time_attention": time_attention,
            "rule_weights": lambda layer: rule(layer)[0].count_params(),
            "peak_megabytes": peak_megabytes,
            "largest_tensor_of_tensor_fusion": largest_tensor_of_tensor_fusion,
        },
    )

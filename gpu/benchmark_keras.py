"""The GPU benchmark of this library on JAX or PyTorch."""

import functools

import benchmark_sizes as workload
import keras
import numpy as np
from benchmark_sizes import sizes
from keras import ops
from measure import check_captions, check_finite, measure
from training_step import TrainingStep

from keras_mmfusion import CrossModalAttention, TextDecoder, TransformerCaptioner
from keras_mmfusion.layers.alignment import solve_optimal_transport, solve_soft_dtw
from keras_mmfusion.layers.fusion import get_rule
from keras_mmfusion.layers.graph import GCNLayer, normalize_graph
from keras_mmfusion.losses import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.caption_generator import SearchFunction
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)

BACKEND = keras.config.backend()


def run_case(name, dtype):
    """Measures a case in a dtype; returns a dict of results."""
    policy = dtype if dtype == "float32" else f"mixed_{dtype}"
    keras.utils.set_random_seed(0)
    reset_memory()
    if name == "captioner_training":
        result = time_training(policy)
    elif name.startswith("captioner_decoding_"):
        result = time_decoding(policy, int(name.rpartition("_")[2]))
    elif name.startswith("fusion_"):
        result = time_rule(policy, name.removeprefix("fusion_"))
    else:
        cases = {
            "attention": time_attention,
            "gcn": time_gcn,
            "soft_dtw": time_soft_dtw,
            "sinkhorn": time_sinkhorn,
        }
        result = cases[name](policy)
    return {**result, "peak_bytes": read_peak_memory()}


def time_training(policy):
    decoder = _decoder(policy)
    tokens, inputs, targets = map(
        ops.convert_to_tensor, workload.draw_caption_batch(sizes().training_batch)
    )
    step = TrainingStep(
        decoder, keras.optimizers.AdamW(weight_decay=workload.WEIGHT_DECAY, beta_2=0.98)
    )
    smoothed = SmoothedCrossEntropy(workload.LABEL_SMOOTHING)

    def loss(tokens, inputs, targets):
        logits = decoder(decoder.embedding(inputs), tokens, training=True)
        return smoothed(targets, logits)

    return _measure(
        lambda: step(loss, workload.LEARNING_RATE, 0.99, tokens, inputs, targets),
        sizes().training_batch,
    )


def time_decoding(policy, batch):
    encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    model = TransformerCaptioner(encoder, _decoder(policy))
    special = SpecialTokens(workload.START, workload.END, workload.PAD, (workload.UNKNOWN,))
    # All captions get their full length.
    settings = DecodingSettings(workload.LENGTH, min_length=workload.LENGTH - 1, beams=1)
    tokens = ops.convert_to_tensor(workload.draw_caption_batch(batch)[0])
    search = compiled(model, SearchFunction(model, settings, special))
    check_captions(ops.convert_to_numpy(search(tokens)[0]), workload.PAD, workload.END)
    return _measure(lambda: search(tokens)[0], batch, finite=False)


def time_rule(policy, name):
    import fusion_layer_sizes as cpu

    rule_class, settings = get_rule(name)
    shapes = {m: (sizes().rule_factor * s[0], *s[1:]) for m, s in cpu.rule_shapes(name).items()}
    if name in cpu.TOKEN_RULES:
        settings = {**settings, "num_layers": cpu.LAYERS, "num_heads": cpu.HEADS}
    layer = rule_class(tuple(shapes), output_dim=cpu.rule_output(name), dtype=policy, **settings)
    inputs = {m: ops.convert_to_tensor(x) for m, x in cpu.random_arrays(shapes).items()}
    return _time_passes(layer, layer, inputs, next(iter(shapes.values()))[0])


def time_attention(policy):
    batch, queries, keys, dim = sizes().attention
    layer = CrossModalAttention(8, dim // 8, dtype=policy)
    inputs = {
        "query": ops.convert_to_tensor(workload.draw_floats(batch, queries, dim)),
        "value": ops.convert_to_tensor(workload.draw_floats(batch, keys, dim, seed=1)),
    }
    return _time_passes(layer, lambda x: layer(x["query"], x["value"]), inputs, batch * queries)


def time_gcn(policy):
    features, edge_index, labels = workload.draw_graph()
    graph = normalize_graph({"node_features": features, "edge_index": edge_index})
    graph = keras.tree.map_structure(ops.convert_to_tensor, graph)
    hidden = GCNLayer(workload.HIDDEN, activation="relu", dtype=policy)
    output = GCNLayer(workload.CLASSES, dtype=policy)

    class Classifier(keras.Layer):
        def call(self, graph):
            return output({**graph, "node_features": hidden(graph)})

    model = Classifier(dtype=policy)
    model.hidden, model.output_layer = hidden, output
    model(graph)
    labels = ops.convert_to_tensor(labels)
    step = TrainingStep(model, keras.optimizers.Adam())
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # The graph is an input: compiling millions of constants with XLA takes too long.
    inputs = keras.tree.flatten(graph)

    def loss(labels, *inputs):
        return cross_entropy(labels, model(keras.tree.pack_sequence_as(graph, inputs)))

    return _measure(lambda: step(loss, 0.01, 0.99, labels, *inputs), len(labels))


def time_soft_dtw(policy):
    def total(cost):
        return ops.sum(solve_soft_dtw(cost, workload.GAMMA)[0])

    return _time_gradient(total, _cost(policy))


def time_sinkhorn(policy):
    def total(cost):
        # With a tolerance of 0, all implementations run the same number of iterations.
        return ops.sum(
            solve_optimal_transport(
                cost, workload.REGULARIZATION, max_iterations=workload.ITERATIONS, tolerance=1e-30
            )[0]
        )

    return _time_gradient(total, _cost(policy))


def _decoder(policy):
    decoder = TextDecoder(
        workload.VOCABULARY_SIZE,
        dim=workload.DIM,
        num_layers=workload.LAYERS,
        num_heads=workload.HEADS,
        mlp_dim=workload.MLP_DIM,
        sequence_length=workload.LENGTH,
        dropout=workload.DROPOUT,
        cross_attention=True,
        dtype=policy,
    )
    decoder.build(
        (None, workload.LENGTH, workload.DIM), (None, workload.IMAGE_TOKENS, workload.IMAGE_DIM)
    )
    return decoder


def _cost(policy):
    cost = np.random.default_rng(0).random(sizes().alignment).astype("float32")
    return ops.cast(ops.convert_to_tensor(cost), policy.removeprefix("mixed_"))


def _time_passes(layer, call, inputs, items):
    """Times a forward and a backward pass, including the gradients of the inputs."""
    call(inputs)

    def total(inputs):
        return ops.sum(ops.cast(call(inputs), "float32"))

    return _time_gradient(total, inputs, items, layer)


def _time_gradient(total, inputs, items=None, layer=None):
    variables = [] if layer is None else layer.trainable_variables
    others = [] if layer is None else layer.non_trainable_variables
    if BACKEND == "jax":
        import jax

        def of(weights, inputs, values):
            mapping = [*zip(variables, weights, strict=True), *zip(others, values, strict=True)]
            with keras.StatelessScope(state_mapping=mapping):
                return total(inputs)

        gradient = jax.jit(jax.value_and_grad(of, argnums=(0, 1)))
        weights, values = ([v.value for v in group] for group in (variables, others))
        return _measure(lambda: gradient(weights, inputs, values)[0], items or len(inputs))
    import torch

    inputs = keras.tree.map_structure(lambda x: x.detach().requires_grad_(), inputs)
    sources = [*(v.value for v in variables), *keras.tree.flatten(inputs)]

    def run():
        value = total(inputs)
        torch.autograd.grad(value, sources, allow_unused=True)
        return value.detach()

    return _measure(run, items or len(inputs))


def _measure(run, items, finite=True):
    if finite:
        check_finite([ops.convert_to_numpy(ops.cast(run(), "float32"))])
    return measure(run, _synchronize, sizes().seconds, items)


def compiled(model, function):
    """Compiles a function of tensors that uses a model's weights, if the backend compiles."""
    from keras_mmfusion.models.compiled_function import compile_function

    return compile_function(model, function)


def _synchronize(value):
    if BACKEND == "jax":
        value.block_until_ready()
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


@functools.cache
def _cuda():
    import torch

    return torch.cuda if torch.cuda.is_available() else None


def reset_memory():
    if BACKEND == "torch" and _cuda():
        _cuda().empty_cache()
        _cuda().reset_peak_memory_stats()


def read_peak_memory():
    """Returns the peak device memory of the case (on JAX of all cases so far), or `None`."""
    if BACKEND == "torch":
        return _cuda().max_memory_allocated() if _cuda() else None
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")

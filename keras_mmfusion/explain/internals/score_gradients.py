"""Gradients of the score of an `Explainable`."""

import numpy as np
from keras import ops

from keras_mmfusion.explain.explainable import add_batch_axis
from keras_mmfusion.explain.internals.attention_recording import record_attention
from keras_mmfusion.explain.internals.layer_overrides import override_calls
from keras_mmfusion.explain.internals.watched_gradients import compile_gradients


def make_input_gradients(explainable):
    """Returns the `compute` of `integrate_gradients` and `smooth_gradients`.

    Args:
        explainable: `Explainable`.

    Returns:
        A function of a dict of arrays with a batch axis, for the differentiable modalities, ids as
        embeddings. It returns the scores and the gradients of the sample so changed.
    """
    names = explainable.differentiable
    others = [name for name in explainable.modalities if name not in names]
    fixed = add_batch_axis({name: explainable.inputs[name] for name in others})
    constants = add_batch_axis(explainable.constants)

    def score(watch, points, fixed, constants):
        values = {name: watch(points[name]) for name in names}
        rows = ops.shape(values[names[0]])[0]
        for name, x in fixed.items():
            values[name] = ops.broadcast_to(x, (rows, *x.shape[1:]))
        return explainable.compute(values, constants=constants)

    variables = explainable.model.variables
    run = explainable.cache_function(
        ("input gradients", names), lambda: compile_gradients(score, variables)
    )

    def compute(points):
        points = {name: np.asarray(points[name], "float32") for name in names}
        scores, _, gradients = run(points, fixed, constants)
        arrays = map(ops.convert_to_numpy, gradients)
        return ops.convert_to_numpy(scores), dict(zip(names, arrays, strict=True))

    return compute


def compute_output_gradients(explainable, layer):
    """Computes the output of a layer and the gradient of the score with respect to it.

    Args:
        explainable: `Explainable`.
        layer: layer that the model calls once for the sample.

    Returns:
        A tuple: the output and the gradient, float arrays without a batch axis, and the score.
    """

    def score(watch, inputs, constants):
        def call(*args, **kwargs):
            return watch(type(layer).call(layer, *args, **kwargs))

        with override_calls({layer: call}):
            return explainable.compute(inputs, constants=constants)

    key = ("output gradients", layer.name)
    [output], [gradient], value = _run_on_sample(explainable, key, score)
    return output[0], gradient[0], value


def compute_attention_gradients(explainable, layers):
    """Computes the attention scores of layers and the gradients of the score by them.

    Args:
        explainable: `Explainable`.
        layers: list of attention layers.

    Returns:
        A tuple of a list and the score of the sample. The list has a tuple for each call, in the
        order of the calls: the layer, its scores, and the gradients, float arrays `(batch, heads,
        query_tokens, key_tokens)`.
    """

    def make_score(called):
        def score(watch, inputs, constants):
            called.clear()  # JAX traces the function more than once.

            def record(layer, scores):
                called.append(layer)
                return watch(scores)

            with record_attention(layers, record):
                return explainable.compute(inputs, constants=constants)

        return score

    called = explainable.cache_function(("attention layers", len(layers)), list)
    key = ("attention", len(layers))
    scores, gradients, value = _run_on_sample(explainable, key, make_score(called))
    return list(zip(called, scores, gradients, strict=True)), value


def _run_on_sample(explainable, key, score):
    """Returns the tensors that `score` watches and their gradients as arrays, and the score."""
    variables = explainable.model.variables
    run = explainable.cache_function(key, lambda: compile_gradients(score, variables))
    inputs = add_batch_axis(explainable.inputs)
    value, watched, gradients = run(inputs, add_batch_axis(explainable.constants))
    arrays = (
        [np.asarray(ops.convert_to_numpy(ops.cast(x, "float32"))) for x in tensors]
        for tensors in (watched, gradients)
    )
    return *arrays, float(ops.convert_to_numpy(value)[0])

"""Attention scores inside a model."""

import contextlib

import keras

from keras_mmfusion._keras_internals import flatten_layers, get_attention_softmax
from keras_mmfusion.explain.internals.layer_overrides import override_calls
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention


def list_attention_layers(layer):
    """Lists the attention layers in a layer or model: those of this package and of Keras."""
    if not isinstance(layer, keras.layers.Layer):
        return []
    kinds = (CrossModalAttention, keras.layers.MultiHeadAttention)
    return [each for each in flatten_layers(layer) if isinstance(each, kinds)]


@contextlib.contextmanager
def record_attention(layers, record):
    """Within the block, attention layers pass their scores to a function.

    Args:
        layers: list of attention layers, from `list_attention_layers`.
        record: called as `record(layer, scores)`, with scores `(batch, heads, query_tokens,
            key_tokens)`. The layer continues with the tensor that it returns.
    """
    calls = {}
    own = [layer for layer in layers if isinstance(layer, CrossModalAttention)]
    for layer in layers:
        calls[layer] = _return_scores(layer)
        if layer not in own:
            softmax = get_attention_softmax(layer)
            calls[softmax] = _record_softmax(layer, softmax, record)
    for layer in own:
        layer.compute_scores = _record_scores(layer, record)
    try:
        with override_calls(calls):
            yield
    finally:
        for layer in own:
            del layer.compute_scores


def _return_scores(layer):
    """Calls a layer with `return_attention_scores`, without which it may not compute them."""

    def call(*args, return_attention_scores=False, **kwargs):
        outputs = type(layer).call(layer, *args, return_attention_scores=True, **kwargs)
        return outputs if return_attention_scores else outputs[0]

    return call


def _record_softmax(layer, softmax, record):
    return lambda *args, **kwargs: record(layer, type(softmax).call(softmax, *args, **kwargs))


def _record_scores(layer, record):
    def compute_scores(*args, **kwargs):
        return record(layer, type(layer).compute_scores(layer, *args, **kwargs))

    return compute_scores

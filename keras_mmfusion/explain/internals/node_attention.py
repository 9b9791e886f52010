"""Attention weights of a model's `GATLayer`s."""

import functools

import keras

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.explain.internals.layer_overrides import override_calls
from keras_mmfusion.layers.graph import GATLayer


def compute_node_attention(model, inputs, edges):
    """Computes the attention weights of all `GATLayer`s of a model in one call.

    Args:
        model: Keras model of a graph.
        inputs: input of the model.
        edges: int. Number of edges of the graph.

    Returns:
        Dict, layer name -> float array `(edges, num_heads)`, without self-loops.
    """
    layers = [layer for layer in flatten_layers(model) if isinstance(layer, GATLayer)]
    attention = {}

    def call_and_record(layer, graph, mask=None, training=None):
        output, scores = GATLayer.call(
            layer, graph, mask, return_attention_scores=True, training=training
        )
        attention[layer.name] = keras.ops.convert_to_numpy(scores)[:edges]
        return output

    with override_calls({layer: functools.partial(call_and_record, layer) for layer in layers}):
        if layers:
            model(inputs, training=False)
    return attention

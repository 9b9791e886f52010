"""The attention weights of a model's `GATLayer`s."""

import functools

import keras

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.layers.graph import GATLayer


def node_attention(model, inputs, edges):
    """The attention weights of every `GATLayer` of a model, in one call of it.

    Args:
        model: Keras model of a graph.
        inputs: what it takes.
        edges: int. How many edges the graph has.

    Returns:
        Dict, name of the layer -> float array `(edges, num_heads)`, without the loops' weights.
    """
    layers = [layer for layer in flatten_layers(model) if isinstance(layer, GATLayer)]
    found = {}

    def call_and_keep(layer, graph, mask=None, training=None):
        output, scores = GATLayer.call(
            layer, graph, mask, return_attention_scores=True, training=training
        )
        found[layer.name] = keras.ops.convert_to_numpy(scores)[:edges]
        return output

    for layer in layers:
        layer.call = functools.partial(call_and_keep, layer)
    try:
        if layers:
            model(inputs, training=False)
    finally:
        for layer in layers:
            del layer.call
    return found

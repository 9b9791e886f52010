"""The token embeddings of a model, as an input that has gradients."""

import keras
import numpy as np
from keras import ops

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.explain.internals.layer_overrides import override_calls


def find_token_embedding(layer):
    """Returns the `keras.layers.Embedding` of a model with the most ids; `None` without one."""
    if not isinstance(layer, keras.layers.Layer):
        return None
    layers = [each for each in flatten_layers(layer) if isinstance(each, keras.layers.Embedding)]
    return max(layers, key=lambda each: each.input_dim, default=None)


def embed_ids(embedding, ids):
    """Returns the vectors of ids, a float32 NumPy array `(..., dim)`."""
    return np.asarray(ops.convert_to_numpy(ops.cast(embedding(ids), "float32")))


def replace_embeddings(embedding, vectors):
    """Returns a context in which an embedding layer returns `vectors` for any ids.

    Args:
        embedding: `keras.layers.Embedding`. Its reverse, which maps vectors to logits, is kept.
        vectors: float tensor `(batch, tokens, dim)`.
    """

    def call(inputs, *args, reverse=False, **kwargs):
        if reverse:
            return type(embedding).call(embedding, inputs, *args, reverse=True, **kwargs)
        return ops.reshape(
            ops.cast(vectors, embedding.compute_dtype), (*ops.shape(inputs), vectors.shape[-1])
        )

    return override_calls({embedding: call})

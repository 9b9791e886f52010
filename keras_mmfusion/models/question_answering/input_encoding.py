"""Calls of image and text encoders of any kind."""

import inspect

import keras
from keras import ops

from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map


def encode_images(encoder, images, training=None):
    """Encodes images into tokens `(batch, tokens, dim)` or vectors `(batch, dim)`.

    Args:
        encoder: layer or model that maps images to tokens, a vector, a feature map `(batch, height,
            width, channels)`, or a dict with `"sequence_output"`, such as a backbone of KerasHub.
        images: float tensor `(batch, height, width, 3)`.
        training: bool.
    """
    inputs = images
    if _takes_dict(encoder):
        [name] = encoder.input
        inputs = {name: images}
    return flatten_feature_map(_get_tokens(encoder(inputs, training=training)))


def encode_questions(encoder, ids, mask, training=None):
    """Encodes questions into tokens `(batch, tokens, dim)` or vectors `(batch, dim)`.

    Args:
        encoder: layer or model of token ids. A model with a dict of inputs gets its `"token_ids"`,
            `"padding_mask"` and `"segment_ids"`, such as `TextEncoder` or a BERT of KerasHub; a
            layer gets the ids and, if `call` has such an argument, the `padding_mask` or `mask`,
            such as `TokenEncoder` or `keras.layers.Embedding`.
        ids: int tensor `(batch, tokens)`.
        mask: bool tensor `(batch, tokens)`.
        training: bool.
    """
    if _takes_dict(encoder):
        available = {
            "token_ids": ids,
            "padding_mask": ops.cast(mask, "int32"),
            "segment_ids": ops.zeros_like(ids),
        }
        inputs = {name: available[name] for name in encoder.input}
        return _get_tokens(encoder(inputs, training=training))
    arguments = inspect.signature(encoder.call).parameters
    masks = {name: mask for name in ("padding_mask", "mask") if name in arguments}
    return _get_tokens(encoder(ids, **masks, training=training))


def _takes_dict(encoder):
    return isinstance(encoder, keras.Model) and isinstance(getattr(encoder, "input", None), dict)


def _get_tokens(outputs):
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs

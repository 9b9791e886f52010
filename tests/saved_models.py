"""Calls of SavedModel signatures, with TensorFlow only."""

import io

from PIL import Image


def png(image):
    """Encodes a uint8 array as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def call(signature, **inputs):
    """Calls a signature on arrays and returns a dict of arrays."""
    import tensorflow as tf

    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in signature(**inputs).items()}

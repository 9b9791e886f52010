import hashlib

import keras

from keras_mmfusion.models.runs.run_record import format_digest


def compute_encoder_digest(model):
    """Computes a short digest of an encoder's input shape, compute dtype and weights.

    Args:
        model: built `keras.Model`.

    Returns:
        A string.
    """
    digest = hashlib.sha256(f"{model.input_shape} {model.compute_dtype}".encode())
    for weight in model.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return format_digest(digest)

import hashlib

import keras

from keras_mmfusion.models.runs.run_record import shown_digest


def encoder_digest(model):
    """A short digest of an encoder: its input, its compute dtype, its weights.

    Args:
        model: built `keras.Model`.

    Returns:
        A string, the same for the same numbers.
    """
    digest = hashlib.sha256(f"{model.input_shape} {model.compute_dtype}".encode())
    for weight in model.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return shown_digest(digest)

import hashlib

import keras

from keras_mmfusion.models.captioning.captioner import Captioner
from keras_mmfusion.models.runs.run_record import format_digest


def compute_encoder_digest(model):
    """Computes a short digest of an encoder's input shape, compute dtype and weights.

    Args:
        model: built `keras.Model`.

    Returns:
        A string.
    """
    return _digest_weights(f"{model.input_shape} {model.compute_dtype}", model)


def describe_start(start):
    """Returns the metadata of what the first stage starts from, as a dict of strings.

    Args:
        start: see `train_captioner`.
    """
    if not isinstance(start, Captioner):
        return {"encoder": compute_encoder_digest(start)}
    vocabulary = start.preprocessor.tokenizer.get_vocabulary()
    return {
        "encoder": compute_encoder_digest(start.image_encoder),
        "captioner": _digest_weights(" ".join(vocabulary), start),
    }


def _digest_weights(description, model):
    digest = hashlib.sha256(description.encode())
    for weight in model.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return format_digest(digest)

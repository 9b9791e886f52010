"""Loads image encoders, from presets and from checkpoints of transformers."""

from keras_mmfusion.checkpoints.image_encoder_loading import (
    load_image_converter,
    load_image_encoder,
)
from keras_mmfusion.encoders import ImageEncoder
from keras_mmfusion.models.presets.hub_files import is_transformers_checkpoint


def load_encoder(folder, image_size=None, trainable=True, dtype=None):
    """Loads an image encoder; see `keras_mmfusion.zoo.image_encoder`.

    Args:
        folder: string, the path of a preset or checkpoint, or a handle that KerasHub downloads.
        image_size: int, pair of ints (height, width), or `None`.
        trainable: bool.
        dtype: string, `keras.DTypePolicy` or `None`.

    Returns:
        A `keras.Model`.
    """
    if is_transformers_checkpoint(folder):
        encoder = load_image_encoder(folder, image_size, dtype)
        encoder.trainable = trainable
        return encoder
    options = {"image_size": image_size, "dtype": dtype}
    options = {name: value for name, value in options.items() if value is not None}
    return ImageEncoder.from_preset(folder, trainable=trainable, **options)


def load_encoder_and_converter(folder, dtype=None):
    """Loads an image encoder together with the preprocessing of its images.

    Args:
        folder: string, as for `load_encoder`.
        dtype: string, `keras.DTypePolicy` or `None`.

    Returns:
        The encoder; and the image converter of a checkpoint of transformers, `None` for a preset.
    """
    encoder = load_encoder(folder, dtype=dtype)
    if not is_transformers_checkpoint(folder):
        return encoder, None
    return encoder, load_image_converter(folder, getattr(encoder, "image_size", None))

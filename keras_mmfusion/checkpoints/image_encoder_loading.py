"""Loads the image encoder of a checkpoint, at any image size."""

from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint


def load_image_encoder(folder, image_size=None, dtype=None):
    """Loads the image encoder of a checkpoint in the format of transformers.

    Args:
        folder: string or path. The checkpoint of an image encoder, or of a model that has one.
        image_size: int or pair of ints, (height, width); or `None` for the size of the checkpoint.
            For another size, the position embeddings are resized by bicubic interpolation.
        dtype: as for `load_checkpoint`.

    Returns:
        A `keras.Model`, for most checkpoints a `keras_mmfusion.encoders.VisionTransformer`. It
        takes images as its image processor returns them; see `load_image_converter`.

    Raises:
        ValueError: as `load_checkpoint`, or if the image size of the encoder is fixed.
    """
    model = load_checkpoint(folder, dtype=dtype)
    encoder = getattr(model, "image_encoder", model)
    return encoder if image_size is None else _resize_encoder(encoder, image_size)


def load_image_converter(folder, image_size=None):
    """Builds the image converter of a checkpoint in the format of transformers.

    Args:
        folder: string or path of a folder with `preprocessor_config.json` or
            `processor_config.json`.
        image_size: pair of ints, (height, width) of the outputs, or `None` for those of the file.

    Returns:
        A `keras_mmfusion.encoders.PillowImageConverter`.

    Raises:
        ValueError: if there is no such file, or its settings are not supported.
    """
    from keras_mmfusion.checkpoints.image_processors import read_image_converter

    converter = read_image_converter(CheckpointAssets(folder))
    if image_size is None or tuple(image_size) == converter.image_size:
        return converter
    config = {**converter.get_config(), "image_size": tuple(image_size)}
    # The ratio of the crop and the image before is kept.
    ratios = [new / old for new, old in zip(image_size, converter.image_size, strict=True)]
    config["resized_size"] = [
        round(size * ratio) for size, ratio in zip(converter.resized_size, ratios, strict=True)
    ]
    if converter.shortest_edge is not None:
        ratio = max(image_size) / max(converter.image_size)
        config["shortest_edge"] = round(converter.shortest_edge * ratio)
    return type(converter).from_config(config)


def _resize_encoder(encoder, image_size):
    from keras_mmfusion.encoders.swin_transformer import SwinTransformer
    from keras_mmfusion.encoders.vision_transformer import VisionTransformer
    from keras_mmfusion.models.presets.quantizable_model import copy_quantization

    if not isinstance(encoder, (SwinTransformer, VisionTransformer)):
        raise ValueError(
            f"The image size of a {type(encoder).__name__} cannot be changed: `image_size` must be "
            f"None. Received: image_size={image_size!r}"
        )
    resized = type(encoder).from_config({**encoder.get_config(), "image_size": image_size})
    copy_quantization(encoder, resized)
    resized.set_weights(encoder.get_weights())
    return resized

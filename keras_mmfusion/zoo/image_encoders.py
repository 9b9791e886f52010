"""The zoo's image encoders."""

from keras_mmfusion.zoo.presets import resolve_preset


def image_encoder(preset="efficientnet_lite0_imagenet", **kwargs):
    """Loads a pretrained image encoder.

    Args:
        preset: string or path. A name of the zoo (`"efficientnet_lite0_imagenet"` for speed,
            `"efficientnet_lite2_imagenet"` for quality), a preset folder, or a handle such as
            `"hf://..."`.
        **kwargs: passed to `ImageEncoder.from_preset`, such as `image_size` or `trainable`.

    Returns:
        A `keras_mmfusion.encoders.ImageEncoder`: it takes images `(batch, height, width, 3)`,
        RGB, normalized `(x - 127) / 128`, and gives tokens `(batch, tokens, dim)`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> image_encoder("efficientnet_lite0_imagnet")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'efficientnet_lite0_imagnet'...
    """
    folder = resolve_preset(preset)
    from keras_mmfusion.encoders import ImageEncoder

    return ImageEncoder.from_preset(folder, **kwargs)

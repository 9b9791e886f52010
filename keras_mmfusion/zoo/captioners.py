"""The zoo's image captioners."""

from keras_mmfusion.zoo.presets import resolve_preset


def captioner(
    preset="captioner_flickr8k_lite0", weights="pretrained", image_encoder=None, **kwargs
):
    """Makes an image captioner, pretrained unless `weights=None`.

    Args:
        preset: string or path. A name of the zoo (`"captioner_flickr8k_lite0"` comes with the
            package, `"captioner_flickr8k_lite2"` is better and is downloaded), a preset folder,
            or a handle such as `"hf://..."`.
        weights: `"pretrained"`, or `None` for a model whose decoder is yet to be trained.
        image_encoder: Keras model or layer, images -> tokens, for an untrained captioner.
        **kwargs: passed to `ImageCaptioningModel.from_preset`, or with `weights=None` to
            `TransformerCaptioner`.

    Returns:
        A `keras_mmfusion.models.ImageCaptioningModel`.

    Raises:
        ValueError: if there is no such preset (the message names the nearest), or if an image
            encoder is given together with pretrained weights.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> captioner("captioner_flickr8k_lite9")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'captioner_flickr8k_lite9'...
    """
    if weights is None:
        from keras_mmfusion.models import TransformerCaptioner

        if image_encoder is None:
            return TransformerCaptioner(**kwargs)
        return TransformerCaptioner(image_encoder, **kwargs)
    if weights != "pretrained":
        raise ValueError(
            "`weights` must be 'pretrained' or None; weights of your own load from a preset "
            f"folder: captioner('path/to/preset'). Received: weights={weights!r}"
        )
    if image_encoder is not None:
        raise ValueError(
            "`image_encoder` needs `weights=None`: pretrained captioners come with the encoder "
            f"that they were trained on. Received: image_encoder={image_encoder!r}"
        )
    folder = resolve_preset(preset)
    from keras_mmfusion.models import ImageCaptioningModel

    return ImageCaptioningModel.from_preset(folder, **kwargs)

"""The zoo's image captioners."""

from keras_mmfusion.zoo.presets import resolve_preset


def captioner(
    preset="captioner_flickr8k_lite0",
    weights="pretrained",
    image_encoder=None,
    tokenizer=None,
    **kwargs,
):
    """Makes an image captioner, pretrained unless `weights=None`.

    With `weights=None` the captioner has an encoder of yours and a decoder with random weights.
    It prepares images and captions as the preset does, at the encoder's image size; the preset's
    scaling, `(x - 127) / 128`, suits `ImageEncoder`, and an encoder that wants another gets it by
    `model.preprocessor.image_converter = ...`.

    Args:
        preset: string or path. A name of the zoo (`"captioner_flickr8k_lite0"` comes with the
            package), a preset folder,
            or a handle such as `"hf://..."`.
        weights: `"pretrained"`, or `None` for a model whose decoder is yet to be trained.
        image_encoder: with `weights=None`, a layer or model, images -> tokens or feature map, of
            a fixed image size. Defaults to an untrained `ImageEncoder("lite0")`.
        tokenizer: with `weights=None`, such as `WordTokenizer.from_captions(captions)`. Defaults
            to the preset's, with its vocabulary.
        **kwargs: passed to `ImageCaptioningModel.from_preset`, such as `dtype`; or with
            `weights=None` to `TextDecoder`, such as `dim` and `num_layers`.

    Returns:
        A `keras_mmfusion.models.ImageCaptioningModel`.

    Raises:
        ValueError: if there is no such preset (the message names the nearest), if the image
            encoder has no fixed image size, or if an image encoder or a tokenizer is given
            together with pretrained weights.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> captioner("captioner_flickr8k_lite9")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'captioner_flickr8k_lite9'...
    """
    if weights is None:
        return _untrained(resolve_preset(preset), image_encoder, tokenizer, kwargs)
    if weights != "pretrained":
        raise ValueError(
            "`weights` must be 'pretrained' or None; weights of your own load from a preset "
            f"folder: captioner('path/to/preset'). Received: weights={weights!r}"
        )
    for name, part in (("image_encoder", image_encoder), ("tokenizer", tokenizer)):
        if part is not None:
            raise ValueError(
                f"`{name}` needs `weights=None`: pretrained captioners come with the {name} "
                f"that they were trained with. Received: {name}={part!r}"
            )
    folder = resolve_preset(preset)
    from keras_mmfusion.models import ImageCaptioningModel

    return ImageCaptioningModel.from_preset(folder, **kwargs)


def _untrained(folder, image_encoder, tokenizer, decoder_options):
    from keras_mmfusion.encoders import ImageEncoder
    from keras_mmfusion.models import (
        CaptioningPreprocessor,
        ImageCaptioningModel,
        TextDecoder,
        TransformerCaptioner,
    )

    if image_encoder is None:
        image_encoder = ImageEncoder("lite0")
    image_size = tuple(getattr(image_encoder, "input_shape", ()))[1:3]
    if len(image_size) != 2 or None in image_size:
        raise ValueError(
            "`image_encoder` must be a model of a fixed image size, such as "
            "`ImageEncoder(image_size=224)` or one that starts with "
            f"`keras.Input((224, 224, 3))`. Received: image_encoder={image_encoder!r}"
        )
    theirs = ImageCaptioningModel.from_preset(folder, load_weights=False).preprocessor
    converter = theirs.image_converter
    preprocessor = CaptioningPreprocessor(
        tokenizer or theirs.tokenizer,
        type(converter).from_config({**converter.get_config(), "image_size": image_size}),
        theirs.sequence_length,
    )
    decoder = TextDecoder(
        preprocessor.tokenizer.vocabulary_size(),
        sequence_length=preprocessor.sequence_length,
        cross_attention=True,
        **decoder_options,
    )
    return TransformerCaptioner(image_encoder, decoder, preprocessor)

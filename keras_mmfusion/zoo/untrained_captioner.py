"""Captioners with an untrained decoder, preprocessed like a preset."""

from keras_mmfusion.encoders import ImageEncoder
from keras_mmfusion.models import (
    Captioner,
    CaptioningPreprocessor,
    TextDecoder,
    TransformerCaptioner,
)
from keras_mmfusion.zoo.image_encoder_loading import load_encoder_and_converter


def create_captioner(folder, image_encoder, tokenizer, decoder_options):
    """Creates a captioner; see `keras_mmfusion.zoo.captioner`.

    Args:
        folder: string. The preset folder or handle whose preprocessing is used.
        image_encoder: layer or model, the folder of one as a string, or `None`.
        tokenizer: tokenizer, or `None` for that of the preset.
        decoder_options: dict of arguments of `TextDecoder`, `None` for its defaults.

    Returns:
        A `TransformerCaptioner`.
    """
    converter = None
    if image_encoder is None:
        image_encoder = ImageEncoder("lite0")
    elif isinstance(image_encoder, str):
        image_encoder, converter = load_encoder_and_converter(image_encoder)
    image_size = tuple(getattr(image_encoder, "input_shape", ()))[1:3]
    if len(image_size) != 2 or None in image_size:
        raise ValueError(
            "`image_encoder` must be a model with a fixed image size, such as "
            "`ImageEncoder(image_size=224)` or one that starts with "
            f"`keras.Input((224, 224, 3))`. Received: image_encoder={image_encoder!r}"
        )
    source = Captioner.from_preset(folder, load_weights=False).preprocessor
    if converter is None:
        converter = source.image_converter
        config = {**converter.get_config(), "image_size": image_size}
        converter = type(converter).from_config(config)
    preprocessor = CaptioningPreprocessor(
        tokenizer or source.tokenizer, converter, source.sequence_length
    )
    decoder = TextDecoder(
        preprocessor.tokenizer.vocabulary_size(),
        sequence_length=preprocessor.sequence_length,
        cross_attention=True,
        **{name: value for name, value in decoder_options.items() if value is not None},
    )
    return TransformerCaptioner(image_encoder, decoder, preprocessor)

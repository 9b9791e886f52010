"""Pairs of a vision encoder and a language model that attends to it, such as ViT and GPT-2.

https://huggingface.co/nlpconnect/vit-gpt2-image-captioning and relatives.
"""

import keras

from keras_mmfusion.checkpoints.gpt2 import build_gpt2_decoder, list_gpt2_weights
from keras_mmfusion.checkpoints.image_processors import build_image_converter
from keras_mmfusion.checkpoints.tokenizers import build_gpt2_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import list_dense
from keras_mmfusion.checkpoints.vit import VIT_RENAMES, build_vit, list_vit_weights
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.encoder_decoder_captioner import EncoderDecoderCaptioner

SEQUENCE_LENGTH = 50  # Maximum number of tokens of a caption.
IGNORED = (r"encoder\.pooler\..*",)
RENAMES = tuple((rf"^encoder\.{old}", rf"encoder.{new}") for old, new in VIT_RENAMES)
TIED = {"decoder.lm_head.weight": "decoder.transformer.wte.weight"}


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        An `EncoderDecoderCaptioner`.

    Raises:
        ValueError: if the encoder or the decoder is of another type than ViT and GPT-2.
    """
    encoder, decoder = config.get("encoder") or {}, config.get("decoder") or {}
    _check_type("encoder", encoder, "vit")
    _check_type("decoder", decoder, "gpt2")
    image_encoder, text_decoder = build_vit(encoder), build_gpt2_decoder(decoder)
    projection = None
    if image_encoder.token_dim != text_decoder.dim:
        projection = keras.layers.Dense(text_decoder.dim, name="encoder_projection")
    preprocessor = None
    if assets is not None:
        preprocessor = CaptioningPreprocessor(
            build_gpt2_tokenizer(assets),
            build_image_converter(assets.image_processor),
            sequence_length=min(SEQUENCE_LENGTH, text_decoder.sequence_length),
        )
    return EncoderDecoderCaptioner(image_encoder, text_decoder, preprocessor, projection)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_vit_weights("encoder", model.image_encoder)
    if model.encoder_projection is not None:
        yield from list_dense("enc_to_dec_proj", model.encoder_projection)
    yield from list_gpt2_weights("decoder.transformer", model.text_decoder)


def _check_type(part, config, supported):
    received = config.get("model_type")
    if received != supported:
        raise ValueError(
            f"The `model_type` of the {part} must be {supported!r}. Received: {received!r}"
        )

"""Pairs of a vision encoder and a language model that attends to it, such as ViT and GPT-2.

https://huggingface.co/nlpconnect/vit-gpt2-image-captioning and relatives.
"""

import dataclasses
from collections.abc import Callable

import keras

from keras_mmfusion.checkpoints.beit import (
    BEIT_RENAMES,
    KEY_BIASES,
    build_beit,
    list_beit_weights,
)
from keras_mmfusion.checkpoints.bert import build_bert_decoder, list_bert_weights
from keras_mmfusion.checkpoints.gpt2 import build_gpt2_decoder, list_gpt2_weights
from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.swin import SWIN_RENAMES, build_swin, list_swin_weights
from keras_mmfusion.checkpoints.tokenizers import (
    build_gpt2_tokenizer,
    build_roberta_tokenizer,
    build_word_piece_tokenizer,
)
from keras_mmfusion.checkpoints.transformer_layers import list_dense
from keras_mmfusion.checkpoints.vit import (
    VIT_RENAMES,
    build_vit,
    list_deit_weights,
    list_vit_weights,
)
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.encoder_decoder_captioner import EncoderDecoderCaptioner

SEQUENCE_LENGTH = 50  # Maximum number of tokens of a caption.
IGNORED = (
    r"encoder\.pooler\..*",
    r"encoder\.embeddings\.mask_token",
    r"decoder\.(bert|roberta)\.pooler\..*",
)
RENAMES = tuple(
    (rf"^encoder\.{old}", rf"encoder.{new}")
    for old, new in (*SWIN_RENAMES, *VIT_RENAMES, *BEIT_RENAMES)
)
UNSTORED = KEY_BIASES
BERT_WORDS, ROBERTA_WORDS = (
    f"decoder.{name}.embeddings.word_embeddings.weight" for name in ("bert", "roberta")
)
TIED = {
    "decoder.lm_head.weight": "decoder.transformer.wte.weight",
    "decoder.cls.predictions.decoder.weight": BERT_WORDS,
    "decoder.cls.predictions.decoder.bias": "decoder.cls.predictions.bias",
    "decoder.lm_head.decoder.weight": ROBERTA_WORDS,
    "decoder.lm_head.decoder.bias": "decoder.lm_head.bias",
}


@dataclasses.dataclass(frozen=True)
class Part:
    """The functions of an encoder or a decoder.

    Args:
        build: function of a configuration that returns the encoder or decoder.
        list_weights: function of the prefix and the encoder or decoder; for decoders, also of the
            configuration.
        build_tokenizer: function of `CheckpointAssets`, for decoders.
    """

    build: Callable
    list_weights: Callable
    build_tokenizer: Callable | None = None


def _list_gpt2_weights(prefix, decoder, config):
    return list_gpt2_weights(f"{prefix}.transformer", decoder)


# Model type in config.json -> part.
ENCODERS = {
    "beit": Part(build_beit, list_beit_weights),
    "deit": Part(build_vit, list_deit_weights),
    "swin": Part(build_swin, list_swin_weights),
    "vit": Part(build_vit, list_vit_weights),
}
DECODERS = {
    "bert": Part(build_bert_decoder, list_bert_weights, build_word_piece_tokenizer),
    "gpt2": Part(build_gpt2_decoder, _list_gpt2_weights, build_gpt2_tokenizer),
    "roberta": Part(build_bert_decoder, list_bert_weights, build_roberta_tokenizer),
}


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        An `EncoderDecoderCaptioner`.

    Raises:
        ValueError: if the type of the encoder or the decoder is not supported, or the special
            tokens of the tokenizer are not those of the configuration.
    """
    encoder, decoder = _find_part("encoder", config), _find_part("decoder", config)
    image_encoder = encoder.build(config["encoder"])
    text_decoder = decoder.build(config["decoder"])
    projection = None
    if image_encoder.token_dim != text_decoder.dim:
        projection = keras.layers.Dense(text_decoder.dim, name="encoder_projection")
    preprocessor = None
    if assets is not None:
        tokenizer = decoder.build_tokenizer(assets)
        _check_special_tokens(tokenizer, {**config, **assets.generation_config})
        preprocessor = CaptioningPreprocessor(
            tokenizer,
            read_image_converter(assets),
            sequence_length=min(SEQUENCE_LENGTH, text_decoder.sequence_length),
        )
    return EncoderDecoderCaptioner(image_encoder, text_decoder, preprocessor, projection)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    encoder, decoder = _find_part("encoder", config), _find_part("decoder", config)
    yield from encoder.list_weights("encoder", model.image_encoder)
    if model.encoder_projection is not None:
        yield from list_dense("enc_to_dec_proj", model.encoder_projection)
    yield from decoder.list_weights("decoder", model.text_decoder, config["decoder"])


def _find_part(name, config):
    parts = {"encoder": ENCODERS, "decoder": DECODERS}[name]
    received = (config.get(name) or {}).get("model_type")
    if received not in parts:
        supported = ", ".join(map(repr, parts))
        raise ValueError(
            f"The `model_type` of the {name} must be one of {supported}. Received: {received!r}"
        )
    return parts[received]


def _check_special_tokens(tokenizer, settings):
    names = {
        "decoder_start_token_id": tokenizer.start_token_id,
        "eos_token_id": tokenizer.end_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    for name, token_id in names.items():
        if settings.get(name) not in (None, token_id):
            raise ValueError(
                f"`{name}` must be that of the tokenizer, {token_id}. Received: {settings[name]}"
            )

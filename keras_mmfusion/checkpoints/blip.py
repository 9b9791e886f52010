"""BLIP: https://huggingface.co/Salesforce/blip-image-captioning-base and relatives."""

from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.layouts import reshape, transpose_conv
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.tokenizers import build_word_piece_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import (
    list_bert_layers,
    list_dense,
    list_fused_projection,
    list_norm,
    list_untyped_bert_embedding,
    read_activation,
)
from keras_mmfusion.encoders.vision_transformer import VisionTransformer
from keras_mmfusion.models.bert.bert_text_encoder import BertTextEncoder
from keras_mmfusion.models.captioning.bert_text_decoder import BertTextDecoder
from keras_mmfusion.models.captioning.blip_captioner import BlipCaptioner
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.question_answering.blip_question_answerer import BlipQuestionAnswerer
from keras_mmfusion.models.question_answering.question_answering_preprocessor import (
    QuestionAnsweringPreprocessor,
)
from keras_mmfusion.models.retrieval.blip_matcher import BlipMatcher
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor

MAX_CAPTION, MAX_ANSWER, MAX_TEXT = 40, 10, 35  # Tokens, as in BLIP's training code.
WORDS = "text_decoder.bert.embeddings.word_embeddings.weight"
HEAD = "text_decoder.cls.predictions"
# BLIP's temperature is not part of the checkpoints.
UNSTORED = (r"logit_scale/log_scale",)
TIED = {f"{HEAD}.decoder.weight": WORDS, f"{HEAD}.decoder.bias": f"{HEAD}.bias"}


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets` or `None` for a model without a preprocessor.

    Returns:
        A `BlipCaptioner`, `BlipQuestionAnswerer` or `BlipMatcher`.

    Raises:
        ValueError: if the class of the checkpoint is not supported.
    """
    architecture = (config.get("architectures") or ["BlipForConditionalGeneration"])[0]
    image_encoder = build_image_encoder(config["vision_config"])
    if architecture == "BlipForConditionalGeneration":
        return BlipCaptioner(
            image_encoder,
            _build_text_decoder(config["text_config"]),
            _build_preprocessor(CaptioningPreprocessor, config, assets, MAX_CAPTION),
        )
    if architecture == "BlipForQuestionAnswering":
        return BlipQuestionAnswerer(
            image_encoder,
            _build_text_encoder(config["text_config"], image_encoder),
            _build_text_decoder(config["text_config"]),
            _build_preprocessor(QuestionAnsweringPreprocessor, config, assets, MAX_ANSWER),
        )
    if architecture == "BlipForImageTextRetrieval":
        return BlipMatcher(
            image_encoder,
            _build_text_encoder(config["text_config"], image_encoder),
            config.get("image_text_hidden_size", 256),
            preprocessor=_build_preprocessor(RetrievalPreprocessor, config, assets, MAX_TEXT),
        )
    raise ValueError(
        "BLIP checkpoints of BlipForConditionalGeneration, BlipForQuestionAnswering and "
        f"BlipForImageTextRetrieval are supported. Received: {architecture}"
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_image_weights(model.image_encoder)
    if hasattr(model, "text_decoder"):
        yield from _list_text_weights(model.text_decoder, "text_decoder.bert")
        yield from _list_head_weights(model.text_decoder)
    if hasattr(model, "text_encoder"):
        yield from _list_text_weights(model.text_encoder, "text_encoder")
    if isinstance(model, BlipMatcher):
        yield from list_dense("vision_proj", model.image_projector.dense)
        yield from list_dense("text_proj", model.text_projector.dense)
        yield from list_dense("itm_head", model.match_head)


def _build_preprocessor(cls, config, assets, sequence_length):
    if assets is None:
        return None
    tokenizer = build_word_piece_tokenizer(assets, "[DEC]", ("[DEC]", "[ENC]"))
    start = config["text_config"].get("bos_token_id", 30522)
    if tokenizer.start_token_id != start:
        raise ValueError(
            f"The tokenizer's '[DEC]' must have the `bos_token_id` of config.json, {start}. "
            f"Received: {tokenizer.start_token_id}"
        )
    positions = config["text_config"].get("max_position_embeddings", 512)
    lengths = {"sequence_length": min(sequence_length, positions)}
    if cls is QuestionAnsweringPreprocessor:
        lengths["question_length"] = min(MAX_TEXT, positions)
    return cls(tokenizer, read_image_converter(assets), **lengths)


def build_image_encoder(config):
    """Builds the `VisionTransformer` of a vision configuration."""
    return VisionTransformer(
        image_size=config.get("image_size", 384),
        patch_size=config.get("patch_size", 16),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
    )


def _read_text_config(config):
    """The arguments of `BertTextDecoder` and `BertTextEncoder`; the defaults are BLIP's."""
    for name, supported in {"hidden_act": "gelu", "layer_norm_eps": 1e-12}.items():
        if config.get(name, supported) != supported:
            raise ValueError(
                f"`{name}` of BLIP's text model must be {supported!r}. Received: {config[name]!r}"
            )
    return {
        "vocabulary_size": config.get("vocab_size", 30524),
        "dim": config.get("hidden_size", 768),
        "num_layers": config.get("num_hidden_layers", 12),
        "num_heads": config.get("num_attention_heads", 8),
        "mlp_dim": config.get("intermediate_size", 3072),
        "sequence_length": config.get("max_position_embeddings", 512),
        "dropout": config.get("hidden_dropout_prob", 0.0),
    }


def _build_text_decoder(config):
    return BertTextDecoder(**_read_text_config(config), cross_attention=True)


def _build_text_encoder(config, image_encoder):
    return BertTextEncoder(**_read_text_config(config), image_dim=image_encoder.token_dim)


def list_image_weights(encoder):
    """Yields the weights of BLIP's `VisionTransformer`."""
    prefix = "vision_model.embeddings"
    yield SourceWeight(f"{prefix}.class_embedding", encoder.class_embedding, reshape(-1))
    position_embedding = encoder.position_embedding
    shape = tuple(position_embedding.shape)
    yield SourceWeight(f"{prefix}.position_embedding", position_embedding, reshape(*shape))
    convolution = encoder.patch_embedding
    yield SourceWeight(f"{prefix}.patch_embedding.weight", convolution.kernel, transpose_conv)
    yield SourceWeight(f"{prefix}.patch_embedding.bias", convolution.bias)
    for index, block in enumerate(encoder.blocks):
        prefix = f"vision_model.encoder.layers.{index}"
        attention, projection = block.attention, f"{prefix}.self_attn.qkv"
        yield from list_fused_projection(f"{projection}.weight", f"{projection}.bias", attention)
        yield from list_dense(f"{prefix}.self_attn.projection", attention.output_dense)
        yield from list_norm(f"{prefix}.layer_norm1", block.attention_norm)
        yield from list_norm(f"{prefix}.layer_norm2", block.mlp_norm)
        yield from list_dense(f"{prefix}.mlp.fc1", block.mlp_hidden)
        yield from list_dense(f"{prefix}.mlp.fc2", block.mlp_output)
    yield from list_norm("vision_model.post_layernorm", encoder.final_norm)


def _list_text_weights(text_model, prefix):
    yield from list_untyped_bert_embedding(f"{prefix}.embeddings", text_model.embedding)
    yield from list_bert_layers(f"{prefix}.encoder.layer", text_model.blocks)


def _list_head_weights(text_decoder):
    yield from list_dense(f"{HEAD}.transform.dense", text_decoder.head_dense)
    yield from list_norm(f"{HEAD}.transform.LayerNorm", text_decoder.final_norm)
    yield SourceWeight(f"{HEAD}.bias", text_decoder.head_bias)

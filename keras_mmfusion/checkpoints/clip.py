"""CLIP: https://huggingface.co/openai/clip-vit-base-patch32 and relatives."""

import math

from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.layouts import reshape, transpose_conv
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.tokenizers import build_clip_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import (
    list_clip_blocks,
    list_dense,
    list_norm,
    read_activation,
)
from keras_mmfusion.encoders.text_transformer import TextTransformer
from keras_mmfusion.encoders.vision_transformer import VisionTransformer
from keras_mmfusion.layers.pooled_projection import PooledProjection
from keras_mmfusion.losses.info_nce_loss import InfoNCELoss
from keras_mmfusion.models.retrieval.contrastive_model import ContrastiveModel
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `ContrastiveModel`.
    """
    dim = config.get("projection_dim", 512)
    return ContrastiveModel(
        {
            "image": build_image_encoder(read_tower_config(config, "vision")),
            "text": build_text_encoder(read_tower_config(config, "text")),
        },
        loss=InfoNCELoss(
            temperature=math.exp(-config.get("logit_scale_init_value", 2.6592)), largest_scale=None
        ),
        projectors={
            "image": PooledProjection(dim, "first", name="image_projector"),
            "text": PooledProjection(dim, "last", name="text_projector"),
        },
        preprocessor=None if assets is None else build_preprocessor(config, assets),
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_image_weights(model.image_encoder)
    yield from list_dense("visual_projection", model.image_projector.dense)
    yield from list_text_weights(model.text_encoder)
    yield from list_dense("text_projection", model.text_projector.dense)
    yield SourceWeight("logit_scale", model.logit_scale.log_scale, reshape())


def read_tower_config(config, name):
    """Returns the configuration of the `"vision"` or `"text"` encoder.

    Older files also have `vision_config_dict` and `text_config_dict`, which take precedence.
    """
    return {**(config.get(f"{name}_config") or {}), **(config.get(f"{name}_config_dict") or {})}


def build_preprocessor(config, assets):
    """Builds the `RetrievalPreprocessor` of a checkpoint.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`.
    """
    return RetrievalPreprocessor(
        build_clip_tokenizer(assets),
        read_image_converter(assets),
        sequence_length=read_tower_config(config, "text").get("max_position_embeddings", 77),
    )


def build_image_encoder(config):
    """Builds the `VisionTransformer` of a vision configuration."""
    return VisionTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 32),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "quick_gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
        patch_bias=False,
        pre_norm=True,
    )


def build_text_encoder(config):
    """Builds the `TextTransformer` of a text configuration."""
    return TextTransformer(
        vocabulary_size=config.get("vocab_size", 49408),
        dim=config.get("hidden_size", 512),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 8),
        mlp_dim=config.get("intermediate_size", 2048),
        max_sequence_length=config.get("max_position_embeddings", 77),
        activation=read_activation(config, "quick_gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
    )


def list_image_weights(encoder, prefix="vision_model"):
    """Yields the weights of CLIP's `VisionTransformer`, which is also that of GIT."""
    embeddings = f"{prefix}.embeddings"
    convolution = encoder.patch_embedding
    yield SourceWeight(f"{embeddings}.class_embedding", encoder.class_embedding)
    yield SourceWeight(f"{embeddings}.patch_embedding.weight", convolution.kernel, transpose_conv)
    yield SourceWeight(f"{embeddings}.position_embedding.weight", encoder.position_embedding)
    yield from list_norm(f"{prefix}.pre_layrnorm", encoder.pre_layer_norm)
    yield from list_clip_blocks(f"{prefix}.encoder.layers", encoder.blocks)
    yield from list_norm(f"{prefix}.post_layernorm", encoder.final_norm)


def list_text_weights(encoder, prefix="text_model"):
    """Yields the weights of the `TextTransformer` of CLIP or SigLIP."""
    embeddings = f"{prefix}.embeddings"
    words = encoder.embedding.token_embedding.embeddings
    positions = encoder.embedding.position_embedding.position_embeddings
    yield SourceWeight(f"{embeddings}.token_embedding.weight", words)
    yield SourceWeight(f"{embeddings}.position_embedding.weight", positions)
    yield from list_clip_blocks(f"{prefix}.encoder.layers", encoder.blocks)
    yield from list_norm(f"{prefix}.final_layer_norm", encoder.final_norm)

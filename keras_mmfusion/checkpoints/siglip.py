"""SigLIP: https://huggingface.co/google/siglip-base-patch16-224 and relatives."""

import warnings

from keras_mmfusion.checkpoints.clip import list_text_weights, read_tower_config
from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.layouts import reshape, transpose_conv
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.tokenizers import build_siglip_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import (
    list_clip_blocks,
    list_dense,
    list_fused_projection,
    list_norm,
    read_activation,
)
from keras_mmfusion.encoders.text_transformer import TextTransformer
from keras_mmfusion.encoders.vision_transformer import VisionTransformer
from keras_mmfusion.layers.attention_pooling import AttentionPooling
from keras_mmfusion.layers.pooled_projection import PooledProjection
from keras_mmfusion.losses.siglip_loss import SigLIPLoss
from keras_mmfusion.models.retrieval.contrastive_model import ContrastiveModel
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor

SIGLIP2_TOKENIZERS = ("GemmaTokenizer", "GemmaTokenizerFast")


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    The text encoder was trained on padded texts: the padding is attended to, and the vector is
    that of the last position. So the masks of its inputs are true everywhere.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor. The model has none
            either, with a warning, if the tokenizer is that of SigLIP 2, which is not supported.

    Returns:
        A `ContrastiveModel`.
    """
    vision, text = (read_tower_config(config, name) for name in ("vision", "text"))
    return ContrastiveModel(
        {"image": build_image_encoder(vision), "text": build_text_encoder(text)},
        loss=SigLIPLoss(largest_scale=None),
        projectors={
            "image": _build_image_projector(vision),
            "text": PooledProjection(
                text.get("projection_size", text.get("hidden_size", 768)),
                "last",
                use_bias=True,
                name="text_projector",
            ),
        },
        preprocessor=None if assets is None else build_preprocessor(config, assets),
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_image_weights(model.image_encoder)
    yield from _list_pooling_weights(model.image_projector)
    yield from list_text_weights(model.text_encoder)
    yield from list_dense("text_model.head", model.text_projector.dense)
    yield SourceWeight("logit_scale", model.logit_scale.log_scale, reshape())
    yield SourceWeight("logit_bias", model.logit_scale.bias, reshape())


def build_preprocessor(config, assets):
    """Builds the `RetrievalPreprocessor` of a checkpoint, or returns `None` for SigLIP 2.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`.
    """
    name = assets.tokenizer_config.get("tokenizer_class")
    if name in SIGLIP2_TOKENIZERS:
        warnings.warn(
            f"The tokenizer of SigLIP 2, {name}, is not supported: the model has no preprocessor, "
            "and takes preprocessed images and token ids.",
            stacklevel=2,
        )
        return None
    return RetrievalPreprocessor(
        build_siglip_tokenizer(assets),
        read_image_converter(assets),
        sequence_length=read_tower_config(config, "text").get("max_position_embeddings", 64),
        mask_padding=False,
    )


def build_image_encoder(config):
    """Builds the `VisionTransformer` of a vision configuration."""
    return VisionTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 16),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu_pytorch_tanh"),
        epsilon=config.get("layer_norm_eps", 1e-6),
        class_token=False,
    )


def build_text_encoder(config):
    """Builds the `TextTransformer` of a text configuration."""
    return TextTransformer(
        vocabulary_size=config.get("vocab_size", 32000),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        max_sequence_length=config.get("max_position_embeddings", 64),
        activation=read_activation(config, "gelu_pytorch_tanh"),
        epsilon=config.get("layer_norm_eps", 1e-6),
        causal=False,
    )


def list_image_weights(encoder, prefix="vision_model"):
    """Yields the weights of SigLIP's `VisionTransformer`."""
    embeddings = f"{prefix}.embeddings"
    convolution = encoder.patch_embedding
    yield SourceWeight(f"{embeddings}.patch_embedding.weight", convolution.kernel, transpose_conv)
    yield SourceWeight(f"{embeddings}.patch_embedding.bias", convolution.bias)
    yield SourceWeight(f"{embeddings}.position_embedding.weight", encoder.position_embedding)
    yield from list_clip_blocks(f"{prefix}.encoder.layers", encoder.blocks)
    yield from list_norm(f"{prefix}.post_layernorm", encoder.final_norm)


def _build_image_projector(config):
    return AttentionPooling(
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu_pytorch_tanh"),
        epsilon=config.get("layer_norm_eps", 1e-6),
        name="image_projector",
    )


def _list_pooling_weights(pooling, prefix="vision_model.head"):
    attention = pooling.attention
    yield SourceWeight(f"{prefix}.probe", pooling.query, reshape(-1))
    projection = f"{prefix}.attention.in_proj"
    yield from list_fused_projection(f"{projection}_weight", f"{projection}_bias", attention)
    yield from list_dense(f"{prefix}.attention.out_proj", attention.output_dense)
    yield from list_norm(f"{prefix}.layernorm", pooling.mlp_norm)
    yield from list_dense(f"{prefix}.mlp.fc1", pooling.mlp_hidden)
    yield from list_dense(f"{prefix}.mlp.fc2", pooling.mlp_output)

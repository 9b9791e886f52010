"""ViT: https://huggingface.co/google/vit-base-patch16-224 and relatives, and DeiT.

It is also the vision encoder of other architectures.
"""

from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.layouts import reshape, transpose_conv
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import (
    list_dense,
    list_mlp,
    list_norm,
    read_activation,
)
from keras_mmfusion.encoders.vision_transformer import VisionTransformer

# (spelling in the memory of transformers 5, spelling on the Hub), without the encoder's prefix.
VIT_RENAMES = (
    (r"layers\.(\d+)\.", r"encoder.layer.\1."),
    (r"(.*)\.attention\.o_proj\.", r"\1.attention.output.dense."),
    (r"(.*)\.attention\.q_proj\.", r"\1.attention.attention.query."),
    (r"(.*)\.attention\.k_proj\.", r"\1.attention.attention.key."),
    (r"(.*)\.attention\.v_proj\.", r"\1.attention.attention.value."),
    (r"(.*)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(.*)\.mlp\.fc2\.", r"\1.output.dense."),
)

# The encoder is loaded without pooler and classifier.
IGNORED = (r"(vit\.)?pooler\..*", r"classifier\..*")
RENAMES = (add_prefix("vit"), *((rf"^vit\.{old}", rf"vit.{new}") for old, new in VIT_RENAMES))


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_vit(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_vit_weights("vit", model)


def build_vit(config):
    """Builds the `VisionTransformer` of a ViT or DeiT configuration, with random weights."""
    if not config.get("qkv_bias", True) or config.get("num_channels", 3) != 3:
        raise ValueError("A ViT must have `qkv_bias` and 3 `num_channels`.")
    return VisionTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 16),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        distillation_token=config.get("model_type") == "deit",
    )


def list_vit_weights(prefix, encoder):
    """Yields the weights of an image Transformer that are named as in ViT and ViLT."""
    yield from list_patch_embedding(f"{prefix}.embeddings", encoder.embedding)
    for index, block in enumerate(encoder.blocks):
        layer, attention = f"{prefix}.encoder.layer.{index}", block.attention
        yield from list_norm(f"{layer}.layernorm_before", block.attention_norm)
        yield from list_dense(f"{layer}.attention.attention.query", attention.query_dense)
        yield from list_dense(f"{layer}.attention.attention.key", attention.key_dense)
        yield from list_dense(f"{layer}.attention.attention.value", attention.value_dense)
        yield from list_dense(f"{layer}.attention.output.dense", attention.output_dense)
        yield from list_norm(f"{layer}.layernorm_after", block.mlp_norm)
        yield from list_mlp(layer, block)
    yield from list_norm(f"{prefix}.layernorm", encoder.final_norm)


def list_patch_embedding(prefix, embedding):
    """Yields the weights of a `PatchEmbedding` that are named as in ViT."""
    projection, convolution = f"{prefix}.patch_embeddings.projection", embedding.convolution
    yield SourceWeight(f"{projection}.weight", convolution.kernel, transpose_conv)
    yield SourceWeight(f"{projection}.bias", convolution.bias)
    if embedding.class_embedding is not None:
        yield SourceWeight(f"{prefix}.cls_token", embedding.class_embedding, reshape(-1))
    positions = embedding.position_embedding
    if positions is not None:
        yield SourceWeight(f"{prefix}.position_embeddings", positions, reshape(*positions.shape))


def list_deit_weights(prefix, encoder):
    """Yields the weights of DeiT: those of ViT, and the distillation token."""
    yield from list_vit_weights(prefix, encoder)
    token = encoder.embedding.distillation_embedding
    yield SourceWeight(f"{prefix}.embeddings.distillation_token", token, reshape(-1))

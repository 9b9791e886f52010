"""Swin: https://huggingface.co/microsoft/swin-tiny-patch4-window7-224 and relatives."""

from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import (
    list_bert_projections,
    list_dense,
    list_mlp,
    list_norm,
    read_activation,
)
from keras_mmfusion.checkpoints.vit import list_patch_embedding
from keras_mmfusion.encoders.swin_transformer import SwinTransformer

_BLOCK = r"(encoder\.layers\.\d+\.blocks\.\d+)"
_TABLE = "relative_position_bias_table"
# (spelling in the memory of transformers 5, spelling on the Hub), without the encoder's prefix.
SWIN_RENAMES = (
    (rf"{_BLOCK}\.attention\.q_proj\.", r"\1.attention.self.query."),
    (rf"{_BLOCK}\.attention\.k_proj\.", r"\1.attention.self.key."),
    (rf"{_BLOCK}\.attention\.v_proj\.", r"\1.attention.self.value."),
    (rf"{_BLOCK}\.attention\.relative_position_bias\.{_TABLE}", rf"\1.attention.self.{_TABLE}"),
    (rf"{_BLOCK}\.attention\.o_proj\.", r"\1.attention.output.dense."),
    (rf"{_BLOCK}\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (rf"{_BLOCK}\.mlp\.fc2\.", r"\1.output.dense."),
)

# The encoder is loaded without the classifier.
IGNORED = (r"classifier\..*", r"(swin\.)?embeddings\.mask_token")
RENAMES = (
    add_prefix("swin"),
    *((rf"^swin\.{old}", rf"swin.{new}") for old, new in SWIN_RENAMES),
)


def build_model(config, assets=None):
    """Builds the `SwinTransformer` of a configuration, with random weights."""
    return build_swin(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_swin_weights("swin", model)


def build_swin(config):
    """Builds the `SwinTransformer` of a Swin configuration, with random weights.

    Raises:
        ValueError: if a setting is not supported.
    """
    required = {"num_channels": 3, "qkv_bias": True, "use_absolute_embeddings": False}
    for name, value in required.items():
        if config.get(name, value) != value:
            raise ValueError(f"`{name}` of Swin must be {value}. Received: {config[name]}")
    return SwinTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 4),
        dim=config.get("embed_dim", 96),
        depths=config.get("depths", (2, 2, 6, 2)),
        num_heads=config.get("num_heads", (3, 6, 12, 24)),
        window_size=config.get("window_size", 7),
        mlp_ratio=config.get("mlp_ratio", 4.0),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
    )


def list_swin_weights(prefix, encoder):
    """Yields the weights of a `SwinTransformer` that are named as in Swin."""
    yield from list_patch_embedding(f"{prefix}.embeddings", encoder.embedding)
    yield from list_norm(f"{prefix}.embeddings.norm", encoder.embedding_norm)
    for stage, blocks in enumerate(encoder.stages):
        layers = f"{prefix}.encoder.layers.{stage}"
        for index, block in enumerate(blocks):
            yield from _list_block(f"{layers}.blocks.{index}", block)
    for stage, merging in enumerate(encoder.mergings):
        downsample = f"{prefix}.encoder.layers.{stage}.downsample"
        yield from list_norm(f"{downsample}.norm", merging.norm)
        yield from list_dense(f"{downsample}.reduction", merging.reduction)
    yield from list_norm(f"{prefix}.layernorm", encoder.final_norm)


def _list_block(prefix, block):
    yield from list_norm(f"{prefix}.layernorm_before", block.attention_norm)
    yield from list_bert_projections(f"{prefix}.attention", block.attention)
    yield SourceWeight(f"{prefix}.attention.self.{_TABLE}", block.position_bias.table)
    yield from list_norm(f"{prefix}.layernorm_after", block.mlp_norm)
    yield from list_mlp(prefix, block)

"""BEiT: https://huggingface.co/microsoft/beit-base-patch16-224 and relatives."""

from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.layouts import transpose_linear
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import (
    list_dense,
    list_mlp,
    list_norm,
    read_activation,
)
from keras_mmfusion.checkpoints.vit import VIT_RENAMES, list_patch_embedding
from keras_mmfusion.encoders.vision_transformer import VisionTransformer

_TABLE = "relative_position_bias.relative_position_bias_table"
# (spelling in the memory of transformers 5, spelling on the Hub), without the encoder's prefix,
# after `VIT_RENAMES`.
BEIT_RENAMES = (
    (rf"(encoder\.layer\.\d+)\.{_TABLE}", rf"\1.attention.attention.{_TABLE}"),
    (rf"shared_position_bias\.{_TABLE.split('.')[1]}", rf"encoder.{_TABLE}"),
)
# The keys of the source have no bias. It would not change the attention: it adds the same number to
# all scores of a query.
KEY_BIASES = (r".*/attention/key/bias",)

# The encoder is loaded without pooler and classifier.
IGNORED = (r"(beit\.)?pooler\..*", r"classifier\..*", r"(beit\.)?embeddings\.mask_token")
RENAMES = (
    add_prefix("beit"),
    *((rf"^beit\.{old}", rf"beit.{new}") for old, new in (*VIT_RENAMES, *BEIT_RENAMES)),
)
UNSTORED = KEY_BIASES


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_beit(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_beit_weights("beit", model)


def build_beit(config):
    """Builds the `VisionTransformer` of a BEiT configuration, with random weights.

    Raises:
        ValueError: if a setting is not supported.
    """
    is_shared = config.get("use_shared_relative_position_bias", False)
    is_separate = config.get("use_relative_position_bias", False)
    if config.get("num_channels", 3) != 3 or (is_shared and is_separate):
        raise ValueError(
            "A BEiT must have 3 `num_channels`, and not both `use_relative_position_bias` and "
            "`use_shared_relative_position_bias`."
        )
    layer_scale = config.get("layer_scale_init_value", 0.1)
    return VisionTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 16),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        # With mean pooling, the mean is normalized instead of the tokens.
        final_norm=not config.get("use_mean_pooling", True),
        use_positions=config.get("use_absolute_position_embeddings", False),
        relative_positions="shared" if is_shared else "separate" if is_separate else None,
        layer_scale=layer_scale if layer_scale > 0 else None,
    )


def list_beit_weights(prefix, encoder):
    """Yields the weights of an image Transformer that are named as in BEiT."""
    yield from list_patch_embedding(f"{prefix}.embeddings", encoder.embedding)
    biases = encoder.position_biases
    if encoder.settings["relative_positions"] == "shared":
        yield SourceWeight(f"{prefix}.encoder.{_TABLE}", biases[0].table)
    for index, block in enumerate(encoder.blocks):
        layer, attention = f"{prefix}.encoder.layer.{index}", block.attention
        if encoder.settings["relative_positions"] == "separate":
            yield SourceWeight(f"{layer}.attention.attention.{_TABLE}", biases[index].table)
        yield from list_norm(f"{layer}.layernorm_before", block.attention_norm)
        source, key_kernel = f"{layer}.attention.attention", attention.key_dense.kernel
        yield from list_dense(f"{source}.query", attention.query_dense)
        yield SourceWeight(f"{source}.key.weight", key_kernel, transpose_linear)
        yield from list_dense(f"{source}.value", attention.value_dense)
        yield from list_dense(f"{layer}.attention.output.dense", attention.output_dense)
        yield from list_norm(f"{layer}.layernorm_after", block.mlp_norm)
        yield from list_mlp(layer, block)
        if block.layer_scale is not None:
            yield SourceWeight(f"{layer}.lambda_1", block.attention_scale)
            yield SourceWeight(f"{layer}.lambda_2", block.mlp_scale)
    if encoder.final_norm is not None:
        yield from list_norm(f"{prefix}.layernorm", encoder.final_norm)

"""Llama, such as SmolLM2: https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct."""

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.checkpoints.language_preprocessors import build_language_preprocessor
from keras_mmfusion.checkpoints.layouts import transpose_linear
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.models.language.language_models import LlamaLanguageModel
from keras_mmfusion.models.language.llama_backbone import LlamaBackbone

IGNORED = (r".*\.rotary_emb\.inv_freq",)
TIED = {"lm_head.weight": "embed_tokens.weight"}
# Settings that change the formula, and the values that KerasHub's Llama implements.
_FIXED_SETTINGS = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
_ROPE_THETA = 10000.0
# Name in a block of the source -> name in a block of KerasHub.
_NORMS = {
    "input_layernorm": "self_attention_layernorm",
    "post_attention_layernorm": "feedforward_layernorm",
}
_LINEARS = {
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.o_proj": "attention_output",
    "mlp.gate_proj": "feedforward_gate_dense",
    "mlp.up_proj": "feedforward_intermediate_dense",
    "mlp.down_proj": "feedforward_output_dense",
}


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `LlamaLanguageModel`.

    Raises:
        ValueError: if KerasHub's Llama does not implement a setting.
    """
    backbone = build_llama_backbone(config)
    length = config.get("max_position_embeddings", 2048)
    preprocessor = assets and build_language_preprocessor(assets, config["vocab_size"], length)
    return LlamaLanguageModel(backbone, preprocessor)


def build_llama_backbone(config):
    """Builds the `LlamaBackbone` of a configuration, with random weights."""
    for name, value in _FIXED_SETTINGS.items():
        if config.get(name, value) != value:
            raise ValueError(f"`{name}` of Llama must be {value}. Received: {config[name]!r}")
    dim, heads = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or dim // heads
    if head_dim * heads != dim:
        raise ValueError(
            "`head_dim` of Llama must be hidden_size / num_attention_heads. Received: "
            f"head_dim={head_dim}, hidden_size={dim}, num_attention_heads={heads}"
        )
    return LlamaBackbone(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_query_heads=heads,
        hidden_dim=dim,
        intermediate_dim=config["intermediate_size"],
        num_key_value_heads=config.get("num_key_value_heads") or heads,
        tie_word_embeddings=config.get("tie_word_embeddings", False),
        layer_norm_epsilon=config.get("rms_norm_eps", 1e-6),
        **_read_rotary_embedding(config),
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_llama_weights("", model.backbone)
    if not model.backbone.tie_word_embeddings:
        embedding = model.backbone.token_embedding
        yield SourceWeight("lm_head.weight", embedding.reverse_embeddings, transpose_linear)


def list_llama_weights(prefix, backbone):
    """Yields the weights of a `LlamaBackbone`, without those of the logits."""
    yield SourceWeight(f"{prefix}embed_tokens.weight", backbone.token_embedding.embeddings)
    for index, block in enumerate(backbone.transformer_layers):
        layer, parts = (
            f"{prefix}layers.{index}",
            {part.name: part for part in flatten_layers(block)},
        )
        for name, part in _NORMS.items():
            yield SourceWeight(f"{layer}.{name}.weight", parts[part].scale)
        for name, part in _LINEARS.items():
            kernel = parts[part].kernel
            yield SourceWeight(f"{layer}.{name}.weight", kernel, _to_kernel(kernel))
    yield SourceWeight(f"{prefix}norm.weight", backbone.layer_norm.scale)


def _to_kernel(kernel):
    """Returns the conversion of a `Linear` to a kernel that may have axes for heads."""
    shape = tuple(kernel.shape)
    return lambda array: array.T.reshape(shape)


def _read_rotary_embedding(config):
    """Returns the settings of the rotary position embedding as arguments of `LlamaBackbone`."""
    settings = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = settings.get("rope_theta") or config.get("rope_theta") or _ROPE_THETA
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind == "default":
        return {"rope_max_wavelength": theta}
    if kind != "llama3":
        raise ValueError(f"`rope_type` of Llama must be 'default' or 'llama3'. Received: {kind!r}")
    return {
        "rope_max_wavelength": theta,
        "rope_frequency_adjustment_factor": settings["factor"],
        "rope_low_freq_factor": settings["low_freq_factor"],
        "rope_high_freq_factor": settings["high_freq_factor"],
        "rope_pretraining_sequence_length": settings["original_max_position_embeddings"],
    }

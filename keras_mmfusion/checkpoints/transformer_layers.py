"""The parts of converters that several architectures share."""

from keras_mmfusion.checkpoints.layouts import transpose_linear
from keras_mmfusion.checkpoints.source_weight import SourceWeight

# Activation in config.json -> activation of `TransformerBlock`.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}


def read_activation(config, default, name="hidden_act"):
    """Returns the activation of `TransformerBlock` for the one in a configuration.

    Args:
        config: dict. The content of `config.json`, or a part of it.
        default: string. The activation if the configuration has none.
        name: string. The key of the configuration.

    Raises:
        ValueError: if the activation is not supported.
    """
    activation = config.get(name, default)
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, ACTIVATIONS))}. Received: {activation!r}"
        )
    return ACTIVATIONS[activation]


def list_dense(prefix, dense):
    """Yields the weights of a `Linear` and its bias, if the `Dense` has one."""
    yield SourceWeight(f"{prefix}.weight", dense.kernel, transpose_linear)
    if dense.bias is not None:
        yield SourceWeight(f"{prefix}.bias", dense.bias)


def list_norm(prefix, norm):
    """Yields the weights of a `LayerNorm`."""
    yield SourceWeight(f"{prefix}.weight", norm.gamma)
    yield SourceWeight(f"{prefix}.bias", norm.beta)


def list_clip_blocks(prefix, blocks):
    """Yields the weights of `TransformerBlock`s that are named as in CLIP and SigLIP."""
    for index, block in enumerate(blocks):
        layer, attention = f"{prefix}.{index}", block.attention
        yield from list_norm(f"{layer}.layer_norm1", block.attention_norm)
        yield from list_dense(f"{layer}.self_attn.q_proj", attention.query_dense)
        yield from list_dense(f"{layer}.self_attn.k_proj", attention.key_dense)
        yield from list_dense(f"{layer}.self_attn.v_proj", attention.value_dense)
        yield from list_dense(f"{layer}.self_attn.out_proj", attention.output_dense)
        yield from list_norm(f"{layer}.layer_norm2", block.mlp_norm)
        yield from list_dense(f"{layer}.mlp.fc1", block.mlp_hidden)
        yield from list_dense(f"{layer}.mlp.fc2", block.mlp_output)

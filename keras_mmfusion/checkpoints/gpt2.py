"""GPT-2 as a decoder that attends to the tokens of an image."""

from keras_mmfusion.checkpoints.layouts import split_columns
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import list_norm, read_activation
from keras_mmfusion.models.captioning.text_decoder import TextDecoder

# Settings that change the formula, and the values that `TextDecoder` implements.
_FIXED_SETTINGS = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": True,
    "tie_word_embeddings": True,
}


def build_gpt2_decoder(config):
    """Builds the `TextDecoder` of a GPT-2 configuration, with random weights.

    Raises:
        ValueError: if `TextDecoder` does not implement a setting.
    """
    for name, value in _FIXED_SETTINGS.items():
        if config.get(name, value) != value:
            raise ValueError(f"`{name}` of GPT-2 must be {value}. Received: {config[name]!r}")
    dim = config.get("n_embd", 768)
    return TextDecoder(
        vocabulary_size=config.get("vocab_size", 50257),
        dim=dim,
        num_layers=config.get("n_layer", 12),
        num_heads=config.get("n_head", 12),
        mlp_dim=config.get("n_inner") or 4 * dim,
        sequence_length=config.get("n_positions", 1024),
        dropout=config.get("resid_pdrop", 0.1),
        cross_attention=True,
        activation=read_activation(config, "gelu_new", name="activation_function"),
        epsilon=config.get("layer_norm_epsilon", 1e-5),
    )


def list_gpt2_weights(prefix, decoder):
    """Yields the weights of a `TextDecoder` that are named as in GPT-2."""
    embedding = decoder.embedding
    yield SourceWeight(f"{prefix}.wte.weight", embedding.token_embedding.embeddings)
    positions = embedding.position_embedding.position_embeddings
    yield SourceWeight(f"{prefix}.wpe.weight", positions)
    for index, block in enumerate(decoder.blocks):
        layer = f"{prefix}.h.{index}"
        yield from list_norm(f"{layer}.ln_1", block.self_norm)
        yield from _list_columns(f"{layer}.attn.c_attn", *_projections(block.self_attention))
        yield from _list_columns(f"{layer}.attn.c_proj", block.self_attention.output_dense)
        cross, attention = f"{layer}.crossattention", block.cross_attention_layer
        query, *key_value = _projections(attention)
        yield from list_norm(f"{layer}.ln_cross_attn", block.cross_norm)
        yield from _list_columns(f"{cross}.q_attn", query)
        yield from _list_columns(f"{cross}.c_attn", *key_value)
        yield from _list_columns(f"{cross}.c_proj", attention.output_dense)
        yield from list_norm(f"{layer}.ln_2", block.mlp_norm)
        yield from _list_columns(f"{layer}.mlp.c_fc", block.mlp_hidden)
        yield from _list_columns(f"{layer}.mlp.c_proj", block.mlp_output)
    yield from list_norm(f"{prefix}.ln_f", decoder.final_norm)


def _projections(attention):
    return attention.query_dense, attention.key_dense, attention.value_dense


def _list_columns(prefix, *layers):
    """Yields the weights of a `Conv1D` that holds the kernels of `Dense` layers side by side."""
    for index, dense in enumerate(layers):
        convert = split_columns(index, len(layers))
        yield SourceWeight(f"{prefix}.weight", dense.kernel, convert)
        yield SourceWeight(f"{prefix}.bias", dense.bias, convert)

"""The parts of converters that several architectures share."""

import functools

from keras_mmfusion.checkpoints.layouts import split_qkv, transpose_linear
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


def list_fused_projection(weight, bias, attention):
    """Yields the weights of the query, key and value, which are one `Linear` in the source.

    Args:
        weight: string. The name of the weight of the `Linear`.
        bias: string. The name of its bias.
        attention: layer with `query_dense`, `key_dense` and `value_dense`.
    """
    parts = (attention.query_dense, attention.key_dense, attention.value_dense)
    for index, dense in enumerate(parts):
        yield SourceWeight(weight, dense.kernel, split_qkv(index))
        yield SourceWeight(bias, dense.bias, split_qkv(index))


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


def list_bert_embedding(prefix, embedding, first_position=0):
    """Yields the weights of a `BertEmbedding` with token types, of which only the first is used.

    Its vector is added to those of the positions.

    Args:
        prefix: string.
        embedding: `BertEmbedding`.
        first_position: int. The row of the first token in the position embeddings of the source.
    """
    yield SourceWeight(f"{prefix}.word_embeddings.weight", embedding.token_embedding.embeddings)
    yield SourceWeight(
        (f"{prefix}.position_embeddings.weight", f"{prefix}.token_type_embeddings.weight"),
        embedding.position_embedding.position_embeddings,
        functools.partial(_add_token_type, first=first_position),
    )
    yield from list_norm(f"{prefix}.LayerNorm", embedding.norm)


def list_untyped_bert_embedding(prefix, embedding):
    """Yields the weights of a `BertEmbedding` without token types."""
    positions = embedding.position_embedding.position_embeddings
    yield SourceWeight(f"{prefix}.word_embeddings.weight", embedding.token_embedding.embeddings)
    yield SourceWeight(f"{prefix}.position_embeddings.weight", positions)
    yield from list_norm(f"{prefix}.LayerNorm", embedding.norm)


def list_bert_layers(prefix, blocks):
    """Yields the weights of `BertBlock`s with cross-attention."""
    for index, block in enumerate(blocks):
        layer, cross = f"{prefix}.{index}", block.cross_attention_layer
        yield from list_bert_attention(f"{layer}.attention", block.self_attention, block.self_norm)
        yield from list_bert_attention(f"{layer}.crossattention", cross, block.cross_norm)
        yield from list_bert_mlp(layer, block)


def list_bert_attention(prefix, attention, norm):
    """Yields the weights of an attention layer and its norm that are named as in BERT."""
    yield from list_bert_projections(prefix, attention)
    yield from list_norm(f"{prefix}.output.LayerNorm", norm)


def list_bert_projections(prefix, attention):
    """Yields the weights of an attention layer that are named as in BERT and Swin."""
    yield from list_dense(f"{prefix}.self.query", attention.query_dense)
    yield from list_dense(f"{prefix}.self.key", attention.key_dense)
    yield from list_dense(f"{prefix}.self.value", attention.value_dense)
    yield from list_dense(f"{prefix}.output.dense", attention.output_dense)


def list_bert_mlp(prefix, block):
    """Yields the weights of the MLP of a block and its norm that are named as in BERT."""
    yield from list_mlp(prefix, block)
    yield from list_norm(f"{prefix}.output.LayerNorm", block.mlp_norm)


def list_mlp(prefix, block):
    """Yields the weights of the MLP of a block that are named as in BERT, ViT, and Swin."""
    yield from list_dense(f"{prefix}.intermediate.dense", block.mlp_hidden)
    yield from list_dense(f"{prefix}.output.dense", block.mlp_output)


def _add_token_type(positions, types, first):
    return positions[first:] + types[0]

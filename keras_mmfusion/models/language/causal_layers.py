"""The layers of a causal language model of KerasHub, applied to embeddings instead of ids."""

import inspect

import keras
from keras import ops

_EMBEDDING_LAYERS = ("position_embedding", "embeddings_add", "embeddings_dropout")


def find_backbone(language_model):
    """Returns the backbone of a language model.

    Args:
        language_model: `keras_hub.models.CausalLM` or its backbone.

    Raises:
        ValueError: if the layers of the backbone cannot be applied one by one.
    """
    backbone = getattr(language_model, "backbone", language_model)
    if not _is_supported(backbone):
        raise ValueError(
            "`language_model` must be a causal language model of KerasHub, or its backbone, that "
            "consists of a token embedding, Transformer layers with a cache, and a normalization: "
            f"Llama, GPT-2, Mistral, Qwen, or a similar one. Received: {language_model!r}"
        )
    return backbone


def _is_supported(backbone):
    layers = getattr(backbone, "transformer_layers", None)
    if not layers or not hasattr(backbone, "layer_norm"):
        return False
    if not isinstance(backbone.token_embedding, keras.layers.ReversibleEmbedding):
        return False
    arguments = inspect.signature(layers[0].call).parameters
    if not {"self_attention_cache", "decoder_padding_mask", "training"} <= arguments.keys():
        return False
    known = [backbone.token_embedding, *layers, backbone.layer_norm]
    known += [getattr(backbone, name, None) for name in _EMBEDDING_LAYERS]
    known_ids = {id(layer) for layer in known}
    others = [layer for layer in backbone.layers if id(layer) not in known_ids]
    return all(isinstance(layer, keras.layers.InputLayer) for layer in others)


def add_positions(backbone, x, positions, training=None):
    """Adds the learned position embeddings of models that have them, such as GPT-2.

    Args:
        backbone: see `find_backbone`.
        x: float tensor `(batch, tokens, dim)`.
        positions: int tensor `(batch, tokens)`.
        training: bool. Whether dropout is active.
    """
    position_embedding = getattr(backbone, "position_embedding", None)
    if position_embedding is not None:
        x = x + position_embedding(x, positions=positions)
    if hasattr(backbone, "embeddings_dropout"):
        x = backbone.embeddings_dropout(x, training=training)
    return x


def apply_layers(backbone, x, mask, cache=None, index=None, attend=None, training=None):
    """Applies the Transformer layers and the final normalization.

    Args:
        backbone: see `find_backbone`.
        x: float tensor `(batch, tokens, dim)`, embeddings with positions.
        mask: bool tensor `(batch, tokens)`, or with a cache `(batch, length)` of all its entries.
        cache: the result of `make_cache` or of the last call, or `None`.
        index: int or scalar tensor. The entry of the cache for the first token of `x`.
        attend: function `(layer index, x) -> x` that is applied before each layer, or `None`.
        training: bool. Whether dropout is active.

    Returns:
        Hidden states `(batch, tokens, dim)`, and the updated cache or `None`.
    """
    mask, new_cache = ops.cast(mask, "int32"), []
    for i, layer in enumerate(backbone.transformer_layers):
        if attend is not None:
            x = attend(i, x)
        if cache is None:
            x = layer(x, decoder_padding_mask=mask, training=training)
            continue
        x, layer_cache = layer(
            x,
            decoder_padding_mask=mask,
            self_attention_cache=cache[i],
            self_attention_cache_update_index=index,
            training=training,
        )
        new_cache.append(layer_cache)
    return backbone.layer_norm(x), None if cache is None else new_cache


def make_cache(backbone, batch_size, length):
    """Makes an empty cache: for each layer, a tensor `(batch, 2, length, heads, head_dim)`."""
    query_heads = count_heads(backbone)
    heads = getattr(backbone, "num_key_value_heads", query_heads)
    head_dim = getattr(backbone, "head_dim", None) or backbone.hidden_dim // query_heads
    shape = (batch_size, 2, length, heads, head_dim)
    return [ops.zeros(shape, backbone.compute_dtype) for _ in backbone.transformer_layers]


def count_heads(backbone):
    """Returns the number of attention heads of the queries."""
    return getattr(backbone, "num_query_heads", None) or backbone.num_heads

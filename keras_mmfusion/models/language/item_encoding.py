"""Items of other modalities as tokens of a language model."""

from keras import ops

from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.masks import broadcast_mask, ensure_mask
from keras_mmfusion.models.fusion.fusion_model import encode_modality


def encode_items(name, encoder, connector, items, mask, training):
    """Encodes the items of a modality, all as one batch.

    Args:
        name: string. The modality.
        encoder: layer, or `None` if the items are tokens.
        connector: layer of tokens, or a `TokenFusionRule` of the modality.
        items: tensor `(batch, items, ...)`.
        mask: bool tensor `(batch, items)` or `(batch, items, tokens)`, or `None`.
        training: bool.

    Returns:
        Tokens `(batch, items, tokens, dim)` and their mask, bool `(batch, items, tokens)`.
    """
    batch_size, count = ops.shape(items)[:2]
    items = ops.reshape(items, (-1, *ops.shape(items)[2:]))
    if mask is not None:
        mask = ops.reshape(mask, (-1, *ops.shape(mask)[2:]))
    tokens, mask = encode_modality(encoder, items, mask, training)
    tokens = flatten_feature_map(tokens)
    if len(tokens.shape) == 2:
        tokens = ops.expand_dims(tokens, 1)
    if isinstance(connector, TokenFusionRule):
        connected = connector({name: tokens}, mask={name: mask})
    else:
        connected = connector(tokens)
    if mask is not None and len(mask.shape) == 2 and connected.shape[1] != tokens.shape[1]:
        mask = ops.any(mask, axis=1)  # Each output depends on all tokens of the item.
    mask = ensure_mask(connected, None) if mask is None else broadcast_mask(mask, connected)
    shape = (batch_size, count, *ops.shape(connected)[1:])
    return ops.reshape(connected, shape), ops.reshape(mask, shape[:-1])


def join_items(x):
    """Joins the tokens of all items: `(batch, items, tokens, ...)` to `(batch, tokens, ...)`."""
    return ops.reshape(x, (ops.shape(x)[0], -1, *x.shape[3:]))

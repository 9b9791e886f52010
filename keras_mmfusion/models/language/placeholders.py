"""Placeholder tokens, which stand for the outputs of encoders in a sequence of token ids."""

from keras import ops

from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.sort_by_mask import sort_by_mask, take_tokens
from keras_mmfusion.models.language.item_encoding import join_items


def replace_placeholders(x, is_placeholder, tokens, mask):
    """Replaces the embeddings of placeholders by the tokens of a modality, in their order.

    The first placeholder of a sample is replaced by its first valid token, and so on. Placeholders
    without a token are unchanged, and tokens without a placeholder are ignored.

    Args:
        x: float tensor `(batch, length, dim)`.
        is_placeholder: bool tensor `(batch, length)`.
        tokens: float tensor `(batch, tokens, dim)`.
        mask: bool tensor `(batch, tokens)`.

    Returns:
        Tensor of the shape of `x`.

    Example:

    >>> import numpy as np
    >>> x, tokens = np.zeros((1, 3, 1)), np.array([[[5.0], [np.nan], [7.0]]])
    >>> mask = np.array([[True, False, True]])
    >>> x = replace_placeholders(x, np.array([[True, False, True]]), tokens, mask)
    >>> np.asarray(x)[0, :, 0].tolist()
    [5.0, 0.0, 7.0]
    """
    rank = ops.cumsum(ops.cast(is_placeholder, "int32"), axis=1) - 1
    count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    order, _ = sort_by_mask(mask)
    rank = ops.minimum(ops.maximum(rank, 0), ops.shape(tokens)[1] - 1)
    has_token = ops.logical_and(is_placeholder, rank < count)
    tokens = zero_masked(ops.cast(tokens, x.dtype), mask)
    replaced = take_tokens(tokens, take_tokens(order, rank))
    return ops.where(ops.expand_dims(has_token, -1), replaced, x)


def mask_later_items(is_placeholder, mask):
    """Finds the items that each token may attend to: those whose placeholder is not after it.

    Args:
        is_placeholder: bool tensor `(batch, length)`, with one placeholder for each valid item.
        mask: bool tensor `(batch, items, tokens)` of the tokens of the items.

    Returns:
        Bool tensor `(batch, length, items * tokens)`.

    Example:

    >>> import numpy as np
    >>> in_text = np.array([[False, True, False]])
    >>> np.asarray(mask_later_items(in_text, np.array([[[True], [True]]])))[0].tolist()
    [[False, False], [True, False], [True, False]]
    """
    count = ops.cumsum(ops.cast(is_placeholder, "int32"), axis=1)
    is_valid = ops.cast(ops.any(mask, axis=2), "int32")
    index = ops.cumsum(is_valid, axis=1) - 1  # Of an item among the valid ones.
    index = ops.broadcast_to(ops.expand_dims(index, 2), ops.shape(mask))
    is_before = ops.expand_dims(join_items(index), 1) < ops.expand_dims(count, 2)
    return ops.logical_and(is_before, ops.expand_dims(join_items(mask), 1))

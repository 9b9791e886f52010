"""Masks: `True` marks a real token, and `None` stands for a mask of ones.

`None` is kept as long as possible, since a mask of ones costs as many passes over the data as any
other mask.
"""

from keras import ops


def zero_masked(x, mask):
    """Replaces masked values by zeros.

    Args:
        x: tensor.
        mask: bool tensor of the shape of the first dims of `x`, or `None`.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    return x if mask is None else fill_masked(x, mask, ops.zeros_like(x))


def fill_masked(x, mask, value):
    """Replaces masked values by `value`, a number or a tensor that broadcasts to `x`.

    Args:
        x, mask: as for `zero_masked`.

    Returns:
        Tensor of the shape of `x`.
    """
    if mask is None:
        return x
    mask = ops.cast(mask, "bool")
    while len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, -1)
    # `where`, not a product: NaN times 0 is NaN.
    return ops.where(mask, x, value)


def average_tokens(tokens, mask):
    """Averages the unmasked tokens of each sample; zeros if all are masked.

    Args:
        tokens: float tensor `(batch, tokens, dim)`, finite also where it is masked.
        mask: bool tensor `(batch, tokens)`, or `None`.

    Returns:
        Tensor `(batch, dim)` of the dtype of `tokens`. The sum is computed in float32, since a
        sum of many float16 tokens may overflow.
    """
    if mask is None:
        return ops.cast(ops.mean(ops.cast(tokens, "float32"), axis=1), tokens.dtype)
    weights = ops.expand_dims(ops.cast(mask, "float32"), -1)
    total = ops.sum(weights * ops.cast(tokens, "float32"), axis=1)
    return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), tokens.dtype)


def broadcast_mask(mask, tokens):
    """Casts a mask to bool and broadcasts a mask of samples to all of their tokens.

    Args:
        mask: tensor `(batch,)` or `(batch, tokens)`.
        tokens: tensor `(batch, tokens, ...)`.

    Returns:
        Bool tensor `(batch, tokens)`.
    """
    mask = ops.cast(mask, "bool")
    if len(mask.shape) == 1:
        mask = ops.logical_and(ops.expand_dims(mask, 1), ops.ones(ops.shape(tokens)[:2], "bool"))
    return mask


def ensure_mask(x, mask):
    """Replaces `None` by a mask of ones, of the shape of `x` without its last dim."""
    return ops.ones(ops.shape(x)[:-1], "bool") if mask is None else mask


def ensure_masks(inputs, mask):
    """Applies `ensure_mask` to each modality.

    Args:
        inputs: dict, modality -> tensor.
        mask: dict, modality -> bool tensor or `None`.

    Returns:
        Dict, modality -> bool tensor.
    """
    return {name: ensure_mask(x, mask[name]) for name, x in inputs.items()}


def concatenate_masks(tensors, masks):
    """Concatenates the masks of tensors that are concatenated along the token axis.

    Args:
        tensors: iterable of tensors `(batch, tokens, dim)`.
        masks: iterable of bool tensors `(batch, tokens)` or `None`.

    Returns:
        Bool tensor `(batch, all tokens)`, or `None` if all masks are `None`.
    """
    masks = list(masks)
    if all(mask is None for mask in masks):
        return None
    masks = [ensure_mask(x, mask) for x, mask in zip(tensors, masks, strict=True)]
    return ops.concatenate(masks, axis=1)

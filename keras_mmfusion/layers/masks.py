"""Masks: `True` marks a real token. `None` stands for a mask without `False`.

The `None` is kept as long as possible, since a mask of ones costs as many passes over the data as
any other mask.
"""

from keras import ops


def zero_masked(x, mask):
    """Zeros where the mask is `False`. `where`, not a product: NaN times 0 is NaN.

    Args:
        x: tensor.
        mask: bool tensor of the first dims of `x`, or `None` where all is there.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    if mask is None:
        return x
    mask = ops.cast(mask, "bool")
    while len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, x, ops.zeros_like(x))


def masked_mean(tokens, mask):
    """Mean of the tokens that are there; zeros where none is.

    Args:
        tokens: float tensor `(batch, tokens, dim)`, finite also where the mask is `False`.
        mask: bool tensor `(batch, tokens)`, or `None` where all are there.

    Returns:
        Tensor `(batch, dim)` of the dtype of `tokens`; summed in float32, which a sum of many
        float16 tokens needs.
    """
    if mask is None:
        return ops.cast(ops.mean(ops.cast(tokens, "float32"), axis=1), tokens.dtype)
    weights = ops.expand_dims(ops.cast(mask, "float32"), -1)
    total = ops.sum(weights * ops.cast(tokens, "float32"), axis=1)
    return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), tokens.dtype)


def whole_mask(x, here=None):
    """The mask, ones in place of `None`.

    Args:
        x: tensor.
        here: bool tensor of the shape of `x` without its last dim, or `None`.
    """
    return ops.ones(ops.shape(x)[:-1], "bool") if here is None else here


def joined_mask(values, present):
    """The mask of several modalities' tokens, one modality behind the other.

    Args:
        values: list of tensors `(batch, tokens, dim)`.
        present: list of bool tensors `(batch, tokens)`, or `None`.

    Returns:
        Bool tensor `(batch, all tokens)`, or `None` where nothing is missing.
    """
    if all(here is None for here in present):
        return None
    masks = [whole_mask(x, here) for x, here in zip(values, present, strict=True)]
    return ops.concatenate(masks, axis=1)


def zeros_if_missing(x, here):
    """`x`, zeros for the samples without it.

    Args:
        x: tensor `(batch, dim)`, finite.
        here: tensor `(batch, 1)`: 1, or 0 where it is missing; or `None`.
    """
    return x if here is None else here * x


def ones_if_missing(x, here):
    """`x`, ones for the samples without it; arguments as for `zeros_if_missing`."""
    return x if here is None else ops.where(here > 0, x, ops.ones_like(here))

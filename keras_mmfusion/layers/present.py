"""What is there of each modality: masks, with `None` where nothing is missing.

The `None` is worth having: a mask of ones costs as many passes over the data as any other.
"""

from keras import ops


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

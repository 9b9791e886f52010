"""Sorting of tokens by a mask, so that padding and valid tokens are contiguous."""

from keras import ops


def sort_by_mask(mask, valid_first=True):
    """Computes the order in which valid tokens precede or follow all others.

    The order among the valid tokens stays the same, as does that among the others.

    Args:
        mask: bool tensor `(batch, tokens)`.
        valid_first: bool. Whether valid tokens precede the others.

    Returns:
        Two int32 tensors `(batch, tokens)`: the index of the token at each rank, and the rank of
        each token in this order. `take_tokens` applies the first, or undoes it with the second.

    Example:

    >>> import numpy as np
    >>> order, ranks = sort_by_mask(np.array([[False, True, False, True]]))
    >>> np.asarray(order).tolist(), np.asarray(ranks).tolist()
    ([[1, 3, 0, 2]], [[2, 0, 3, 1]])
    """
    mask = ops.cast(mask, "bool")
    first = mask if valid_first else ops.logical_not(mask)
    counts = ops.cast(first, "int32")
    first_ranks = ops.cumsum(counts, axis=1) - 1
    other_ranks = ops.cumsum(1 - counts, axis=1) - 1 + ops.sum(counts, axis=1, keepdims=True)
    ranks = ops.cast(ops.where(first, first_ranks, other_ranks), "int32")
    return ops.cast(ops.argsort(ranks, axis=1), "int32"), ranks


def take_tokens(x, indices):
    """Takes tokens of each sample.

    Args:
        x: tensor `(batch, tokens)` or `(batch, tokens, dim)`.
        indices: int tensor `(batch, taken)`.

    Returns:
        Tensor `(batch, taken)` or `(batch, taken, dim)`.

    Example:

    >>> import numpy as np
    >>> np.asarray(take_tokens(np.array([[5, 6], [7, 8]]), np.array([[1], [0]]))).tolist()
    [[6], [7]]
    """
    if len(x.shape) == 2:
        return ops.take_along_axis(x, indices, axis=1)
    # Rows of a matrix, so that no index is repeated for each number of a token.
    batch_size, tokens = ops.shape(x)[:2]
    offsets = ops.expand_dims(ops.arange(batch_size, dtype="int32") * tokens, 1)
    rows = ops.reshape(x, (-1, x.shape[-1]))
    return ops.take(rows, ops.cast(indices, "int32") + offsets, axis=0)

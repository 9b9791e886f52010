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

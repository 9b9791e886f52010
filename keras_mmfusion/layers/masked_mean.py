from keras import ops


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

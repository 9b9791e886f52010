"""Checks that the alignments share. Each error names the function or layer that was called."""

from keras import ops


def check_cost(caller, cost, name="cost"):
    """`cost` as a float32 tensor if it is `(batch, rows, columns)`."""
    cost = ops.convert_to_tensor(cost)
    if len(cost.shape) != 3:
        raise ValueError(
            f"{caller}: `{name}` must have the shape (batch, rows, columns). Received shape: "
            f"{tuple(cost.shape)}"
        )
    return ops.cast(cost, "float32")


def real_tokens(caller, name, mask, tokens, axis=1):
    """The mask as bool `(batch, tokens)`, all `True` where it is `None`, of an axis of `tokens`."""
    if mask is None:
        return ops.ones((ops.shape(tokens)[0], ops.shape(tokens)[axis]), "bool")
    mask = ops.cast(mask, "bool")
    expected = tokens.shape[0], tokens.shape[axis]
    if len(mask.shape) != 2 or any(
        None not in (one, other) and one != other
        for one, other in zip(mask.shape, expected, strict=True)
    ):
        raise ValueError(
            f"{caller}: `{name}` must have the shape (batch, tokens), here {expected}, with "
            f"`True` for a real token. Received shape: {tuple(mask.shape)}"
        )
    return mask

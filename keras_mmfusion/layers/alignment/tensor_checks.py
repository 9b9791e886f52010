"""Argument checks of the alignments. Errors name the function or layer that was called."""

from keras import ops


def check_cost(caller, cost, name="cost"):
    """Checks that `cost` has the shape `(batch, rows, columns)` and casts it to float32."""
    cost = ops.convert_to_tensor(cost)
    if len(cost.shape) != 3:
        raise ValueError(
            f"{caller}: `{name}` must have the shape (batch, rows, columns). Received shape: "
            f"{tuple(cost.shape)}"
        )
    return ops.cast(cost, "float32")


def resolve_mask(caller, name, mask, tokens, axis=1):
    """Checks the mask of an axis of `tokens` and casts it to bool; `None` becomes all `True`.

    Returns:
        Bool tensor `(batch, size of the axis)`.
    """
    if mask is None:
        return ops.ones((ops.shape(tokens)[0], ops.shape(tokens)[axis]), "bool")
    mask = ops.cast(mask, "bool")
    expected = tokens.shape[0], tokens.shape[axis]
    if len(mask.shape) != 2 or any(
        None not in sizes and sizes[0] != sizes[1]
        for sizes in zip(mask.shape, expected, strict=True)
    ):
        raise ValueError(
            f"{caller}: `{name}` must have the shape (batch, tokens), {expected}. Received "
            f"shape: {tuple(mask.shape)}"
        )
    return mask

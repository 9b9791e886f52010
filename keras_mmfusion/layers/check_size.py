def check_size(owner, name, value):
    """Checks that an argument is a positive integer.

    Args:
        owner: the layer that was given it.
        name: string. The argument.
        value: what it is.

    Returns:
        `value`.

    Raises:
        ValueError: if it is not; names the layer and the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"{type(owner).__name__}: `{name}` must be a positive integer. Received: {value!r}"
        )
    return value

"""Checks the inputs of a prediction request."""


def check_inputs(inputs):
    """Checks that inputs are a dict of arrays or lists.

    Args:
        inputs: dict of name -> array or nested lists of numbers, strings or bytes.

    Raises:
        ValueError: if it is not a dict, or a value is a string or bytes instead of a list of them.

    Example:

    >>> check_inputs({"image_bytes": b"GIF89a"})
    Traceback (most recent call last):
    ValueError: `inputs['image_bytes']` must be a list or an array with one entry per row of \
the batch. Received: bytes. Put it in a list.
    """
    if not hasattr(inputs, "items"):
        raise ValueError(
            "`inputs` must be a dict of the signature's inputs, such as "
            f"{{'image_bytes': [...]}}. Received: {type(inputs).__name__}"
        )
    for name, value in inputs.items():
        if value is None or isinstance(value, (str, bytes, bytearray)):
            raise ValueError(
                f"`inputs[{name!r}]` must be a list or an array with one entry per row of the "
                f"batch. Received: {type(value).__name__}. Put it in a list."
            )

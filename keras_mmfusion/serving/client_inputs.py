"""What a prediction sends, checked before it is sent."""


def check_inputs(inputs):
    """Raises an error if a signature's inputs are not named, or one is a bare string.

    Args:
        inputs: dict, name -> array or nested lists of numbers, strings or bytes.

    Raises:
        ValueError: if it is no dict, or has a string or bytes where a list of them is expected.

    Example:

    >>> check_inputs({"image_bytes": b"GIF89a"})
    Traceback (most recent call last):
    ValueError: `inputs['image_bytes']` must be a list or an array, an entry for each row of the \
batch. Received: bytes; put it in a list.
    """
    if not hasattr(inputs, "items"):
        raise ValueError(
            "`inputs` must be a dict of the signature's inputs, such as "
            f"{{'image_bytes': [...]}}. Received: {type(inputs).__name__}"
        )
    for name, value in inputs.items():
        if value is None or isinstance(value, (str, bytes, bytearray)):
            raise ValueError(
                f"`inputs[{name!r}]` must be a list or an array, an entry for each row of the "
                f"batch. Received: {type(value).__name__}; put it in a list."
            )

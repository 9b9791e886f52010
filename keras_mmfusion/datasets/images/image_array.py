"""Arrays of any number type as 8-bit images."""

import numpy as np

_FLOATS = ("float16", "bfloat16", "float32", "float64")


def to_8_bits(array, name):
    """The values of an image array as integers from 0 to 255.

    What is white depends on the type: `True` of booleans; 255 of integers, but 65,535 of uint16,
    whose values are divided by 257; and of floats 1 if no value is larger, otherwise 255.

    Args:
        array: array of booleans, integers or floats.
        name: string. What to call it in errors.

    Returns:
        `np.uint8` array of the same shape.

    Raises:
        ValueError: for other types; for values that are NaN, infinite, negative or beyond white;
            and for floats whose largest value lies between 1 and 2, since they can be meant
            either way.

    Example:

    >>> import numpy as np
    >>> to_8_bits(np.array([0, 257, 65535], "uint16"), "it").tolist()
    [0, 1, 255]
    """
    if array.dtype == bool:
        return array.astype("uint8") * 255
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return scaled_16_bits(array)
    is_float = array.dtype.name in _FLOATS
    if not is_float and array.dtype.kind not in "iu":
        raise ValueError(f"{name} must have integer, float or boolean values.")
    if is_float:
        array = array.astype("float32")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are NaN or infinite.")
    smallest, largest = array.min(), array.max()
    if smallest < 0 or largest > 255:
        raise ValueError(
            f"{name} must have values from 0 to 255, or floats from 0 to 1, or uint16 values from "
            f"0 to 65535. Its values go from {smallest} to {largest}."
        )
    if is_float and 1 < largest < 2:
        raise ValueError(
            f"{name} must have floats from 0 to 1 or from 0 to 255. Its largest value, {largest}, "
            "is too large for the former and too small to tell the latter. Clip it to 1, or round "
            "it to uint8."
        )
    if is_float:
        array = np.round(array * 255 if largest <= 1 else array)
    return array.astype("uint8")


def scaled_16_bits(array):
    """Integers from 0 to 65,535 as `np.uint8` from 0 to 255.

    Example:

    >>> import numpy as np
    >>> scaled_16_bits(np.array([257, 32896])).tolist()
    [1, 128]
    """
    return ((array.astype("uint32") + 128) // 257).astype("uint8")

"""Converts arrays of any numeric dtype to 8-bit images."""

import numpy as np

_FLOATS = ("float16", "bfloat16", "float32", "float64")


def convert_to_8_bits(array, name):
    """Converts an image array to integers from 0 to 255.

    The white level depends on the dtype: `True` for booleans, 65,535 for uint16, 255 for other
    integers, and for floats 1 if no value is larger, otherwise 255.

    Args:
        array: array of booleans, integers or floats.
        name: string. The name of the array in error messages.

    Returns:
        `np.uint8` array of the same shape.

    Raises:
        ValueError: for other dtypes; for values that are NaN, infinite, negative or above the
            white level; and for floats whose maximum is between 1 and 2, which are ambiguous.

    Example:

    >>> import numpy as np
    >>> convert_to_8_bits(np.array([0, 257, 65535], "uint16"), "it").tolist()
    [0, 1, 255]
    """
    if array.dtype == bool:
        return array.astype("uint8") * 255
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return scale_16_bits(array)
    is_float = array.dtype.name in _FLOATS
    if not is_float and array.dtype.kind not in "iu":
        raise ValueError(f"{name} must have integer, float or boolean values.")
    if is_float:
        array = array.astype("float32")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are NaN or infinite.")
    minimum, maximum = array.min(), array.max()
    if minimum < 0 or maximum > 255:
        raise ValueError(
            f"{name} must have values from 0 to 255, or floats from 0 to 1, or uint16 values from "
            f"0 to 65535. Its values range from {minimum} to {maximum}."
        )
    if is_float and 1 < maximum < 2:
        raise ValueError(
            f"{name} must have floats from 0 to 1 or from 0 to 255. Its maximum, {maximum}, is "
            "ambiguous. Clip the values to 1, or round them to uint8."
        )
    if is_float:
        array = np.round(array * 255 if maximum <= 1 else array)
    return array.astype("uint8")


def scale_16_bits(array):
    """Scales integers from 0 to 65,535 to `np.uint8` from 0 to 255.

    Example:

    >>> import numpy as np
    >>> scale_16_bits(np.array([257, 32896])).tolist()
    [1, 128]
    """
    return ((array.astype("uint32") + 128) // 257).astype("uint8")

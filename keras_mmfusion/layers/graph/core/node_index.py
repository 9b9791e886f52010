"""Checks of index tensors."""

import keras
from keras import ops

from keras_mmfusion.graphs.table_nodes import NAMES_HINT
from keras_mmfusion.layers.graph.core.tracing import is_concrete


def check_index(name, key, index, size):
    """Checks that an index is in `[0, size)`.

    A compiled function cannot raise on values. There, invalid indices are replaced by 0, and the
    second result is NaN.

    Args:
        name: string. The layer's name for error messages.
        key: string. The tensor's name for error messages.
        index: int tensor.
        size: int or scalar tensor.

    Returns:
        The index, and `nan_if_invalid`: a scalar tensor that is NaN if an index is invalid, else
        0; or `None` if the values could be checked.

    Raises:
        ValueError: if an index is out of range, or not an integer.
    """
    index = cast_index(name, key, index)
    if is_concrete(index):
        if 0 in index.shape:
            return index, None
        lowest, highest = int(ops.min(index)), int(ops.max(index))
        if lowest < 0 or highest >= size:
            raise ValueError(
                f"{name}: `{key}` must be in [0, {int(size)}). Received: "
                f"{lowest if lowest < 0 else highest}"
            )
        return index, None
    valid = ops.logical_and(index >= 0, index < ops.cast(size, index.dtype))
    nan_if_invalid = ops.where(ops.all(valid), 0.0, float("nan"))
    return ops.where(valid, index, ops.zeros_like(index)), nan_if_invalid


def cast_index(name, key, index):
    """Casts an index to a dtype that every backend can gather by: int32 or int64.

    Raises:
        ValueError: if the index is not of integers.
    """
    is_array_of_names = getattr(index.dtype, "kind", "") in ("O", "S", "U")
    dtype = "string" if is_array_of_names else keras.backend.standardize_dtype(index.dtype)
    if "int" not in dtype:
        hint = NAMES_HINT
        if "float" in dtype or "bool" in dtype:
            hint = f'Cast it, as in `{key}.astype("int32")`.'
        raise ValueError(f"{name}: {key!r} must be of integers. Received: {dtype}. {hint}")
    return index if dtype in ("int32", "int64") else ops.cast(index, "int32")

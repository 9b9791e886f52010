"""Helpers of the functions that build edges from NumPy arrays."""

import keras
import numpy as np

from keras_mmfusion.graphs.table_nodes import NAMES_HINT

ROWS = 1024  # Number of targets to compare with all sources at once.


def as_array(name, x, shape):
    """Converts to a NumPy array: floats become float64, integers and bool keep their dtype.

    Args:
        name: string. The argument's name for error messages.
        x: array or tensor of any backend.
        shape: tuple, with `None` for a dim of any size.

    Raises:
        ValueError: if the shape differs, or an entry is not a number.
    """
    x = np.asarray(x) if isinstance(x, (np.ndarray, list, tuple)) else keras.ops.convert_to_numpy(x)
    fits = x.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, x.shape, strict=True))
    if not fits:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"`{name}` must have the shape ({expected}). Received shape: {x.shape}")
    if x.dtype.kind in "biu":
        return x
    try:
        return x.astype("float64")
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be numbers. {NAMES_HINT} Received: {x.dtype}") from error


def cast_edges(source, target, weight):
    """Returns `edge_index` as int32 and `edge_weight` as float32, as graph layers expect."""
    return np.stack([source, target]).astype("int32"), np.asarray(weight, "float32")


def connect_where(weigh, num_targets, loops):
    """Connects all pairs of nonzero weight, one slice of the targets at a time.

    Args:
        weigh: function that maps a slice of the targets to weights
            `(targets of the slice, sources)`.
        num_targets: int.
        loops: bool. Whether target `i` may have source `i`.
    """
    parts = [(np.zeros(0), np.zeros(0), np.zeros(0))]
    for start in range(0, num_targets, ROWS):
        weight = weigh(slice(start, start + ROWS))
        row, source = np.nonzero(weight)
        keep = np.ones(len(row), "bool") if loops else row + start != source
        row, source = row[keep], source[keep]
        parts.append((source, row + start, weight[row, source]))
    return cast_edges(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

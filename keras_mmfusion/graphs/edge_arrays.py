"""What the builders of edges share: NumPy arrays in, edges out."""

import keras
import numpy as np

from keras_mmfusion.graphs.table_nodes import NAMES_HINT

ROWS = 1024  # Targets that are compared with all sources at once.


def as_array(name, x, shape):
    """`x` as a NumPy array, of float64 if it has fractions.

    Args:
        name: string. The argument for error messages.
        x: array or tensor of any backend.
        shape: tuple, `None` for a dim of any size.

    Raises:
        ValueError: if it has another shape, or what is no number.
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


def edges_of(source, target, weight):
    """`(edge_index, edge_weight)` as the graph layers take them: int32 and float32."""
    return np.stack([source, target]).astype("int32"), np.asarray(weight, "float32")


def connect_where(weigh, num_targets, loops):
    """Edges between all pairs whose weight is not 0, a slice of the targets at a time.

    Args:
        weigh: function of a slice of the targets, which returns the weights
            `(targets of the slice, sources)`.
        num_targets: int.
        loops: bool. Whether target `i` may have source `i`.
    """
    found = [(np.zeros(0), np.zeros(0), np.zeros(0))]
    for start in range(0, num_targets, ROWS):
        weight = weigh(slice(start, start + ROWS))
        row, source = np.nonzero(weight)
        keep = np.ones(len(row), "bool") if loops else row + start != source
        row, source = row[keep], source[keep]
        found.append((source, row + start, weight[row, source]))
    return edges_of(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

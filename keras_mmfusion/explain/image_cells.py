"""Cells of a grid over an image."""

import numpy as np
from keras import ops


def index_cells(size, grid):
    """Returns the cell of each pixel, an int array `(height, width)`, row by row.

    Args:
        size: pair of ints, (height, width).
        grid: pair of ints, (rows, columns).

    Example:

    >>> index_cells((2, 5), (1, 2)).tolist()
    [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1]]
    """
    rows, columns = (_index_axis(*each) for each in zip(size, grid, strict=True))
    return rows[:, np.newaxis] * grid[1] + columns


def _index_axis(size, count):
    starts = np.linspace(0, size, count + 1).astype("int32")
    return (np.searchsorted(starts, np.arange(size), side="right") - 1).astype("int32")


def expand_cells(mask, size):
    """Expands a mask of cells to the pixels of an image.

    Args:
        mask: bool tensor `(batch, rows, columns)`.
        size: pair of ints, (height, width).

    Returns:
        Bool tensor `(batch, height, width)`.
    """
    for axis in (1, 2):
        if mask.shape[axis] != size[axis - 1]:
            mask = ops.take(mask, _index_axis(size[axis - 1], mask.shape[axis]), axis=axis)
    return mask

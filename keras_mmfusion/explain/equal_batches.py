"""Rows in batches of one size, so that a function is compiled once."""

import math

import numpy as np


def make_equal_batches(count, batch_size):
    """Divides rows into the fewest batches of one size.

    Args:
        count: int. Number of rows.
        batch_size: int. Maximum number of rows in a batch.

    Yields:
        Tuples of an int array, the rows of a batch, and a bool array, `False` where the last row is
        repeated to complete the batch.

    Example:

    >>> [rows.tolist() for rows, _ in make_equal_batches(5, 4)]
    [[0, 1, 2], [3, 4, 4]]
    """
    size = math.ceil(count / math.ceil(count / batch_size))
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        yield np.minimum(rows, count - 1), rows < count

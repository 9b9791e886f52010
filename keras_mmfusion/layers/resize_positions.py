"""Matrices that resize the position embeddings of a Vision Transformer to another grid."""

import numpy as np

CUBIC = -0.75  # The coefficient of PyTorch's bicubic interpolation.


def make_bicubic_matrix(size, new_size):
    """Makes the matrix of bicubic interpolation along one axis: `(new_size, size)`.

    It gives the values of `torch.nn.functional.interpolate` with `mode="bicubic"` and
    `align_corners=False`: samples are at the centers of cells, nothing is smoothed, and the
    values at the borders are repeated.

    Args:
        size: int. Number of values.
        new_size: int. Number of interpolated values.

    Returns:
        A float32 NumPy array. Each row sums to 1.

    Example:

    >>> [[round(float(x), 3) for x in row] for row in make_bicubic_matrix(2, 3)]
    [[1.087, -0.087], [0.5, 0.5], [-0.087, 1.087]]
    """
    positions = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    first = np.floor(positions)
    matrix = np.zeros((new_size, size))
    for offset in (-1, 0, 1, 2):
        columns = np.clip(first + offset, 0, size - 1).astype(int)
        weights = _cubic_kernel(np.abs(positions - first - offset))
        np.add.at(matrix, (np.arange(new_size), columns), weights)
    return matrix.astype("float32")


def _cubic_kernel(x):
    """Keys's cubic convolution kernel, for distances in [0, 2]."""
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * CUBIC - 4 * CUBIC
    return np.where(x <= 1, near, far)

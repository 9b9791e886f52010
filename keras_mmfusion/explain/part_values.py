"""Values of the parts of a sample from values of single numbers or of image tokens."""

import numpy as np
from PIL import Image

from keras_mmfusion.explain.image_cells import index_cells


def sum_over_parts(explainable, values, level):
    """Sums the values of the numbers that each part consists of.

    Args:
        explainable: `Explainable`.
        values: dict, modality -> float array like its input; for ids, like their embeddings.
        level: string, see `explain`.

    Returns:
        Dict, modality -> float array of the shape of its parts. A modality without values has
        zeros.
    """
    shapes = explainable.get_part_shapes(level)
    parts = {}
    for name, shape in shapes.items():
        x = np.asarray(values.get(name, np.zeros(shape)), "float64")
        if explainable.kinds[name] == "image" and level == "token" and name in values:
            cells = index_cells(x.shape[:2], shape).ravel()
            count = shape[0] * shape[1]
            x = np.bincount(cells, x.sum(axis=-1).ravel(), count).reshape(shape)
        parts[name] = x.sum(axis=tuple(range(len(shape), x.ndim)))
    return parts


def drop_class_tokens(values, grid):
    """Arranges the values of image tokens on a grid; the tokens before the grid are dropped.

    Args:
        values: float array `(tokens, ...)`.
        grid: pair of ints.

    Returns:
        Float array `(rows, columns, ...)`.
    """
    count = grid[0] * grid[1]
    return values[len(values) - count :].reshape(*grid, *values.shape[1:])


def scale_up(values, size):
    """Interpolates the values of a grid at the pixels of an image, bilinearly.

    Args:
        values: float array `(rows, columns)`.
        size: pair of ints, (height, width).

    Returns:
        Float64 array `(height, width)`.
    """
    image = Image.fromarray(np.asarray(values, "float32"))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR), "float64")

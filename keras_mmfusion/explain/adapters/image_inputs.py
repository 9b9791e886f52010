"""Baselines and grids of images."""

import keras
import numpy as np

MISSING = "missing modality"
MEDIAN_COLOR = "replaced by the median color of the image"
MEDIAN_FRAME = "replaced by the median color of the video"
GIVEN = "replaced by the given baseline"
CELLS = 8  # Rows and columns of the cells of an image if the encoder has no grid of tokens.


def fill_with_median(image):
    """Returns an image or video of the median color of another one.

    Args:
        image: array `(..., height, width, channels)`.
    """
    axes = tuple(range(image.ndim - 1))
    return np.broadcast_to(np.median(image, axis=axes), image.shape).astype(image.dtype)


def find_grid(encoder, count):
    """Finds the rows and columns of the tokens of an image encoder; a row if they are unknown."""
    grid = getattr(encoder, "grid", None)
    if grid is not None:
        return tuple(grid)
    shape = getattr(encoder, "output_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4:
        is_first = keras.config.image_data_format() == "channels_first"
        return shape[2:] if is_first else shape[1:3]
    side = int(count**0.5)
    return (side, side) if side * side in (count, count - 1) else (1, count)


def find_image_grid(encoder, image):
    """Finds the rows and columns of the feature map or the tokens of an image.

    Args:
        encoder: layer, or `None`.
        image: float array `(height, width, channels)`.

    Returns:
        Pair of ints: `CELLS`, or fewer for a small image, if the output of the encoder is neither.
    """
    output = None if encoder is None else encoder(image[np.newaxis])
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) == 3:
        return find_grid(encoder, shape[1])
    if len(shape) == 4:
        is_first = keras.config.image_data_format() == "channels_first"
        return shape[2:] if is_first else shape[1:3]
    return min(CELLS, image.shape[0]), min(CELLS, image.shape[1])


def expand_token_mask(mask, count):
    """Expands a mask of a grid of image tokens, or of samples, to all tokens of the encoder.

    The tokens before the grid, such as a class token, are masked only with the whole image.

    Args:
        mask: bool tensor `(batch,)` or `(batch, rows, columns)`.
        count: int. Number of tokens.

    Returns:
        Bool tensor `(batch,)` or `(batch, count)`.
    """
    if len(mask.shape) == 1:
        return mask
    rows, columns = mask.shape[1:]
    mask = keras.ops.reshape(mask, (-1, rows * columns))
    return keras.ops.pad(mask, ((0, 0), (count - rows * columns, 0)), constant_values=True)

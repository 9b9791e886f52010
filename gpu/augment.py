"""Random crops, color changes and flips of photos, as tensors, on any backend."""

import numpy as np
from keras import ops

DRAWS = 8
MIN_SIDE = 0.7**0.5
COLOR_CHANGE = 0.2
LUMA = np.array([0.299, 0.587, 0.114], "float32")
# Random numbers that leave a photo unchanged.
IDENTITY = np.array([1, 1, 0, 0, 0.5, 0.5, 0.5, 0], "float32")


def augment_photos(photos, draws, size):
    """Crops, resizes, recolors and flips photos, and normalizes them for `ImageEncoder`.

    The operations are those of the augmentation in `keras_mmfusion.datasets`. Cropping, resizing
    and flipping are linear in the rows and columns, so two matrix products do all three.

    Args:
        photos: uint8 tensor `(batch, height, width, 3)`.
        draws: float32 tensor `(batch, DRAWS)`, uniform in [0, 1); `IDENTITY` for none.
        size: pair of ints, height and width of the result.

    Returns:
        Float32 tensor `(batch, *size, 3)`, `(x - 127) / 128`.
    """
    height, width = photos.shape[1:3]
    rows = _make_resampling(height, size[0], draws[:, 0], draws[:, 2])
    columns = _make_resampling(width, size[1], draws[:, 1], draws[:, 3])
    flipped = ops.reshape(draws[:, 7] >= 0.5, (-1, 1, 1))
    columns = ops.where(flipped, ops.flip(columns, axis=1), columns)
    pixels = ops.cast(photos, "float32")
    pixels = ops.matmul(rows, ops.reshape(pixels, (-1, height, width * 3)))
    pixels = ops.reshape(pixels, (-1, size[0], width, 3))
    pixels = ops.einsum("bowc,bpw->bopc", pixels, columns)
    matrix, offset = _make_color_change(ops.mean(pixels, axis=(1, 2)), draws[:, 4:7])
    pixels = ops.einsum("bopc,bcd->bopd", pixels, matrix) + offset
    return (ops.clip(pixels, 0.0, 255.0) - 127.0) / 128.0


def _make_resampling(length, output, side, place):
    """Returns bilinear weights `(batch, output, length)` of a random crop, resized to `output`."""
    crop = ops.floor(length * (MIN_SIDE + (1 - MIN_SIDE) * side))
    start = ops.floor((length - crop) * place)
    steps = ops.arange(output, dtype="float32") + 0.5
    centers = ops.expand_dims(start, 1) + ops.expand_dims(crop / output, 1) * steps - 0.5
    first, last = ops.expand_dims(start, 1), ops.expand_dims(start + crop - 1, 1)
    centers = ops.expand_dims(ops.minimum(ops.maximum(centers, first), last), -1)
    return ops.relu(1.0 - ops.abs(centers - ops.arange(length, dtype="float32")))


def _make_color_change(mean, draws):
    """Combines changes of brightness, contrast (about the mean gray) and saturation.

    Args:
        mean: mean color of each photo, `(batch, 3)`.
        draws: three uniform numbers for each, `(batch, 3)`.

    Returns:
        Matrices `(batch, 3, 3)`, to multiply from the right, and offsets `(batch, 1, 1, 1)`.
    """
    factors = ops.reshape(1 + COLOR_CHANGE * (2 * draws - 1), (-1, 3, 1, 1))
    brightness, contrast, saturation = (factors[:, i] for i in range(3))
    to_gray = ops.convert_to_tensor(np.outer(LUMA, np.ones(3, "float32")))
    matrix = saturation * ops.eye(3, dtype="float32") + (1 - saturation) * to_gray
    gray = ops.matmul(mean, ops.convert_to_tensor(LUMA))
    offset = (1 - contrast) * brightness * ops.reshape(gray, (-1, 1, 1))
    return contrast * brightness * matrix, ops.expand_dims(offset, -1)

"""Random image augmentation that keeps captions valid.

An augmentation is defined by `DRAWS` uniform random numbers in [0, 1] and is implemented for NumPy
arrays and for TensorFlow tensors: a crop of at least 70% of the area; brightness, contrast and
saturation changed by up to 20%; and, with probability 0.5, a horizontal flip with "left" and
"right" swapped in the captions.
"""

import re

import numpy as np

from keras_mmfusion.datasets.images.image_resizing import stretch
from keras_mmfusion.datasets.images.read_image import resize_image

DRAWS = 8

_MIN_SIDE = 0.7**0.5
_COLOR_CHANGE = 0.2
_LUMA = np.array([0.299, 0.587, 0.114], "float32")


def swap_left_right(caption):
    """Swaps the words "left" and "right", also in compounds like "left-handed".

    Args:
        caption: string.

    Returns:
        string.

    Example:

    >>> swap_left_right("Left of a bright ball, the leftmost dog looks right.")
    'right of a bright ball, the rightmost dog looks left.'
    """
    return re.sub(
        r"(?i)\b(left|right)(most)?\b",
        lambda match: ("right" if match[1].lower() == "left" else "left") + (match[2] or ""),
        caption,
    )


def swap_left_right_tensor(captions):
    """`swap_left_right` for a `tf.string` tensor."""
    import tensorflow as tf

    for pattern, words in (
        (r"(?i)\bleft(most)?\b", "\0\\1"),
        (r"(?i)\bright(most)?\b", r"left\1"),
        ("\0", "right"),
    ):
        captions = tf.strings.regex_replace(captions, pattern, words)
    return captions


def augment_array(image, captions, draws):
    """Applies an augmentation to an image and its captions.

    Args:
        image: uint8 array `(height, width, 3)`.
        captions: list of strings.
        draws: `DRAWS` floats from 0 to 1.

    Returns:
        A tuple of the augmented image, uint8 of the same shape, and the list of captions.
    """
    height, width = image.shape[:2]
    crop_height = int(height * (_MIN_SIDE + (1 - _MIN_SIDE) * draws[0]))
    crop_width = int(width * (_MIN_SIDE + (1 - _MIN_SIDE) * draws[1]))
    top = int((height - crop_height) * draws[2])
    left = int((width - crop_width) * draws[3])
    crop = image[top : top + crop_height, left : left + crop_width]
    pixels = resize_image(np.ascontiguousarray(crop), (height, width)).astype("float32")

    matrix, offset = _compute_color_change(pixels.mean((0, 1)), *draws[4:7])
    pixels = pixels @ np.float32(matrix) + np.float32(offset)
    pixels = np.clip(np.round(pixels), 0, 255).astype("uint8")
    if draws[7] < 0.5:
        return pixels, captions
    return pixels[:, ::-1], [swap_left_right(caption) for caption in captions]


def augment_tensor(image, captions, draws):
    """`augment_array` for tensors; `captions` is a `tf.string` tensor."""
    import tensorflow as tf

    height, width = image.shape[:2]
    sides = tf.cast([height, width], "float32") * (_MIN_SIDE + (1 - _MIN_SIDE) * draws[:2])
    crop_height, crop_width = tf.unstack(tf.cast(sides, "int32"))
    top = tf.cast(tf.cast(height - crop_height, "float32") * draws[2], "int32")
    left = tf.cast(tf.cast(width - crop_width, "float32") * draws[3], "int32")
    crop = image[top : top + crop_height, left : left + crop_width]
    pixels = stretch(crop, (height, width))

    matrix, offset = _compute_color_change(tf.reduce_mean(pixels, (0, 1)), *tf.unstack(draws[4:7]))
    pixels = tf.tensordot(pixels, matrix, 1) + offset
    pixels = tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), "uint8")
    flip = draws[7] >= 0.5
    return (
        tf.where(flip, pixels[:, ::-1], pixels),
        tf.where(flip, swap_left_right_tensor(captions), captions),
    )


def _compute_color_change(mean, *draws):
    """Combines changes of brightness, contrast and saturation into one affine map.

    Contrast is changed relative to the mean gray level.

    Args:
        mean: mean color of the image, `(3,)`.
        *draws: a number in [0, 1] for each of the three changes.

    Returns:
        A tuple of a `(3, 3)` matrix, to be multiplied from the right, and an offset.
    """
    brightness, contrast, saturation = (1 + _COLOR_CHANGE * (2 * draw - 1) for draw in draws)
    to_gray = np.outer(_LUMA, np.ones(3, "float32"))
    mean_gray = brightness * sum(mean[channel] * _LUMA[channel] for channel in range(3))
    matrix = saturation * np.eye(3, dtype="float32") + (1 - saturation) * to_gray
    return contrast * brightness * matrix, (1 - contrast) * mean_gray

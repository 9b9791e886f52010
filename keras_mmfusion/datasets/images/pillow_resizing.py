"""Resizes images with exactly the pixels of Pillow, also in TensorFlow graphs."""

import math

import numpy as np
from PIL import Image

INTERPOLATIONS = ("bilinear", "bicubic", "lanczos")
# The distance from the center, in pixels of the smaller image, at which a filter becomes zero.
_SUPPORTS = {"bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}
# Pillow's weights of 8-bit images are integers, multiples of 2^-22.
_PRECISION_BITS = 22
_BLOCK = 8  # Number of output rows of a matrix product.
_VERY_TALL = 100  # Ratio of height to width above which Pillow resizes the height first.


def resize_with_pillow(images, image_size, interpolation="bilinear"):
    """Resizes images with Pillow.

    Args:
        images: uint8 array `(height, width, 3)` or `(batch, height, width, 3)`.
        image_size: tuple of ints, `(height, width)`.
        interpolation: string. `"bilinear"`, `"bicubic"` or `"lanczos"`.

    Returns:
        Uint8 array `(*image_size, 3)` or `(batch, *image_size, 3)`.

    Example:

    >>> images = np.array([[[[0] * 3, [90] * 3, [240] * 3]]], "uint8")
    >>> resize_with_pillow(images, (1, 2), "bicubic")[0, 0, :, 0].tolist()
    [25, 191]
    """
    height, width = image_size
    if images.ndim == 4:
        resized = [resize_with_pillow(image, image_size, interpolation) for image in images]
        return np.stack(resized) if resized else np.zeros((0, height, width, 3), "uint8")
    resampling = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(images).resize((width, height), resampling))


def resize_like_pillow(images, image_size, interpolation="bilinear"):
    """Implements `resize_with_pillow` with TensorFlow operations, for any size of the input.

    Like Pillow, resizes the width first (the height first if a very tall image shrinks), each time
    with integer weights and rounded results. The integers are exact in float64.

    Args:
        images: uint8 tensor `(..., height, width, 3)`.
        image_size: tuple of ints or an int32 tensor `(2,)`: height and width.
        interpolation: string. `"bilinear"`, `"bicubic"` or `"lanczos"`.

    Returns:
        Uint8 tensor `(..., *image_size, 3)`.
    """
    import tensorflow as tf

    shape = tf.shape(images)
    height, width, channels = shape[-3], shape[-2], shape[-1]
    new_height, new_width = image_size[0], image_size[1]
    x = tf.reshape(images, (-1, height, width, channels))
    is_very_tall = (height > _VERY_TALL * width) & (new_height < height)
    x = tf.cond(
        is_very_tall,
        lambda: _resize_width(
            _resize_height(x, new_height, interpolation), new_width, interpolation
        ),
        lambda: _resize_height(
            _resize_width(x, new_width, interpolation), new_height, interpolation
        ),
    )
    x = tf.reshape(x, tf.concat([shape[:-3], [new_height, new_width, channels]], axis=0))
    sizes = [size if isinstance(size, int) else None for size in (new_height, new_width)]
    return tf.ensure_shape(x, [*images.shape[:-3], *sizes, images.shape[-1]])


def _resize_width(x, count, interpolation):
    import tensorflow as tf

    x = _resize_axis(tf.transpose(x, (2, 0, 1, 3)), count, interpolation)
    return tf.transpose(x, (1, 2, 0, 3))


def _resize_height(x, count, interpolation):
    import tensorflow as tf

    x = _resize_axis(tf.transpose(x, (1, 0, 2, 3)), count, interpolation)
    return tf.transpose(x, (1, 0, 2, 3))


def _resize_axis(x, count, interpolation):
    """Resizes the first axis of a uint8 tensor to `count`."""
    import tensorflow as tf

    size, shape = tf.shape(x)[0], tf.shape(x)
    rows = tf.reshape(x, (size, -1))
    resized = tf.cond(
        tf.equal(size, count), lambda: rows, lambda: _resize_rows(rows, count, interpolation)
    )
    return tf.reshape(resized, tf.concat([[count], shape[1:]], axis=0))


def _resize_rows(rows, count, interpolation):
    """Resizes the first axis of a uint8 matrix to `count`.

    Neighboring output rows depend on overlapping ranges of input rows. The output is computed in
    blocks, each of which is the product of a small matrix with such a range.
    """
    import tensorflow as tf

    starts, weights = _compute_weights(tf.shape(rows)[0], count, interpolation)
    length = tf.shape(weights)[-1]

    def compute_block(block):
        start, matrix = block
        sums = matrix @ tf.cast(rows[start : start + length], "float64")
        rounded = tf.floor(sums / 2.0**_PRECISION_BITS + 0.5)
        return tf.cast(tf.clip_by_value(rounded, 0.0, 255.0), "uint8")

    blocks = tf.map_fn(
        compute_block, (starts, weights), fn_output_signature="uint8", parallel_iterations=2
    )
    return tf.reshape(blocks, (-1, tf.shape(rows)[1]))[:count]


def _compute_weights(size, count, interpolation):
    """Computes Pillow's weights (`precompute_coeffs` and `normalize_coeffs_8bpc` in Resample.c).

    Returns:
        A tuple of the first input row of each block, int32 `(blocks,)`, and the weights of the
        following input rows, integers as float64 `(blocks, _BLOCK, rows)`.
    """
    import tensorflow as tf

    scale = tf.cast(size, "float64") / tf.cast(count, "float64")
    stretch = tf.maximum(scale, 1.0)  # The filter is widened only if the image shrinks.
    support = _SUPPORTS[interpolation] * stretch
    blocks = -(-count // _BLOCK)
    centers = (tf.cast(tf.range(blocks * _BLOCK), "float64") + 0.5) * scale
    centers = tf.reshape(centers, (blocks, _BLOCK, 1))
    # The additional output rows of the last block are cut off.
    first = tf.clip_by_value(tf.cast(centers - support + 0.5, "int32"), 0, size)
    last = tf.minimum(tf.cast(centers + support + 0.5, "int32"), size)
    length = tf.minimum(tf.reduce_max(last[:, -1] - first[:, 0]), size)
    starts = tf.minimum(first[:, 0, 0], size - length)
    rows = starts[:, tf.newaxis, tf.newaxis] + tf.range(length)
    distances = (tf.cast(rows, "float64") - centers + 0.5) * (1.0 / stretch)
    weights = _FILTERS[interpolation](tf.abs(distances))
    weights = tf.where((rows >= first) & (rows < last), weights, tf.zeros_like(weights))
    weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))
    scaled = weights * 2.0**_PRECISION_BITS
    return starts, tf.sign(scaled) * tf.floor(tf.abs(scaled) + 0.5)


def _apply_bilinear_filter(x):
    import tensorflow as tf

    return tf.nn.relu(1.0 - x)


def _apply_bicubic_filter(x):
    import tensorflow as tf

    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, tf.zeros_like(x)))


def _apply_lanczos_filter(x):
    import tensorflow as tf

    def sinc(x):
        safe = tf.where(x == 0.0, tf.ones_like(x), x) * math.pi
        return tf.where(x == 0.0, tf.ones_like(x), tf.sin(safe) / safe)

    return tf.where(x < 3.0, sinc(x) * sinc(x / 3), tf.zeros_like(x))


_FILTERS = {
    "bilinear": _apply_bilinear_filter,
    "bicubic": _apply_bicubic_filter,
    "lanczos": _apply_lanczos_filter,
}

"""Loads and resizes image files in a `tf.data` pipeline."""

import os

from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS, read_image

_JFIF = b"\xff\xd8\xff\xe0\x00\x10"


def load_image_tensor(path, image_size, drop_alpha=False):
    """Reads an image file and resizes it to `image_size`.

    Args:
        path: string tensor.
        image_size: tuple of ints, `(height, width)`.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    content = tf.io.read_file(path)
    image = tf.cond(
        _is_plain_jpeg(content),
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.numpy_function(
            lambda name: read_image(os.fsdecode(name), drop_alpha=drop_alpha),
            [path],
            "uint8",
            stateful=False,
        ),
    )
    image.set_shape((None, None, 3))
    return resize_image_tensor(image, image_size)


def _is_plain_jpeg(content):
    """Returns whether TensorFlow decodes the file to the same pixels as `read_image`, but faster.

    This holds for complete JPEG files (with an end marker) that start with a JFIF header (gray or
    color, not CMYK), have no orientation, and are not too large.
    """
    import tensorflow as tf

    is_jfif = tf.strings.substr(tf.strings.join([content, bytes(6)]), 0, 6) == _JFIF
    end = tf.maximum(tf.strings.length(content) - 2, 0)
    is_complete = tf.strings.substr(content, end, 2) == b"\xff\xd9"
    return tf.cond(is_jfif & is_complete, lambda: _is_upright_and_small(content), lambda: False)


def _is_upright_and_small(content):
    import tensorflow as tf

    # `\C` matches any byte.
    is_rotated = tf.strings.regex_full_match(content, r"\C*(Exif\x00\x00|tiff:Orientation)\C*")
    shape = tf.cast(tf.io.extract_jpeg_shape(content), "int64")
    return ~is_rotated & (shape[0] * shape[1] <= MAX_PIXELS)

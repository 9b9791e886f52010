"""Loads and resizes image files in a `tf.data` pipeline."""

import functools
import os

from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.images.jpeg_reduction import RATIOS, choose_ratio_index
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS, read_image

_JFIF = b"\xff\xd8\xff\xe0\x00\x10"


def load_image_tensor(path, image_size, drop_alpha=False, reduce_jpegs=False):
    """Reads an image file and resizes it to `image_size`.

    Args:
        path: string tensor.
        image_size: tuple of ints, `(height, width)`.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        reduce_jpegs: bool. Whether the decoder reduces JPEG files by 2, 4 or 8 if they remain at
            least as large as `image_size`.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    content = tf.io.read_file(path)
    reduce_to = image_size if reduce_jpegs else None

    def read(name):
        return read_image(os.fsdecode(name), drop_alpha=drop_alpha, reduce_to=reduce_to)

    def read_other():
        image = tf.numpy_function(read, [path], "uint8", stateful=False)
        return image, tf.cast(tf.shape(image)[:2], "float32")

    ratios = (1, *RATIOS) if reduce_jpegs else (1,)
    branches = [functools.partial(_decode_jpeg, content, ratio) for ratio in ratios]
    index = tf.cond(
        _is_plain_jpeg(content),
        lambda: _choose_branch(content, reduce_to),
        lambda: len(ratios),
    )
    image, extent = tf.switch_case(index, [*branches, read_other])
    image.set_shape((None, None, 3))
    return resize_image_tensor(image, image_size, extent)


def _decode_jpeg(content, ratio):
    """Returns the decoded image, and the part of its size that belongs to the photo."""
    import tensorflow as tf

    image = tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
    return image, tf.cast(tf.io.extract_jpeg_shape(content)[:2], "float32") / ratio


def _choose_branch(content, reduce_to):
    import tensorflow as tf

    if reduce_to is None:
        return 0
    return choose_ratio_index(tf.io.extract_jpeg_shape(content), reduce_to)


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

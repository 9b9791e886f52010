"""Image files to pixels of one size in a tf.data pipeline."""

import os

from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS, read_image

_JFIF = b"\xff\xd8\xff\xe0\x00\x10"


def load_image_tensor(path, image_size):
    """Reads an image file and stretches it to a size.

    Args:
        path: string tensor.
        image_size: tuple of ints, `(height, width)`.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    content = tf.io.read_file(path)
    image = tf.cond(
        _is_plain_jpeg(content),
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.numpy_function(
            lambda name: read_image(os.fsdecode(name)), [path], "uint8", stateful=False
        ),
    )
    image.set_shape((None, None, 3))
    return resize_image_tensor(image, image_size)


def _is_plain_jpeg(content):
    """Whether TensorFlow reads the file as `read_image` would, only faster.

    So it is for a whole JPEG file (it ends with its end marker) that opens with a JFIF header
    (gray or color, never CMYK), notes no rotation, and is not too large.
    """
    import tensorflow as tf

    opens = tf.strings.substr(tf.strings.join([content, bytes(6)]), 0, 6) == _JFIF
    end = tf.maximum(tf.strings.length(content) - 2, 0)
    whole = tf.strings.substr(content, end, 2) == b"\xff\xd9"
    return tf.cond(opens & whole, lambda: _is_upright_and_small(content), lambda: False)


def _is_upright_and_small(content):
    import tensorflow as tf

    # `\C` is any byte.
    turned = tf.strings.regex_full_match(content, r"\C*(Exif\x00\x00|tiff:Orientation)\C*")
    shape = tf.cast(tf.io.extract_jpeg_shape(content), "int64")
    return ~turned & (shape[0] * shape[1] <= MAX_PIXELS)

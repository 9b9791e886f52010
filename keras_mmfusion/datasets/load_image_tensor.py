"""Image files to pixels of one size in a tf.data pipeline."""

import os

from keras_mmfusion.datasets.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.read_image import read_image


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
    (grey or colour, never CMYK) and no EXIF header, which may ask for rotation, after it.
    """
    import tensorflow as tf

    head = tf.strings.join([tf.strings.substr(content, 0, 22), bytes(22)])
    opens = tf.strings.substr(head, 0, 6) == b"\xff\xd8\xff\xe0\x00\x10"
    no_exif = tf.strings.substr(head, 20, 2) != b"\xff\xe1"
    end = tf.maximum(tf.strings.length(content) - 2, 0)
    return opens & no_exif & (tf.strings.substr(content, end, 2) == b"\xff\xd9")

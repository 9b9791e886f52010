"""Image files to pixels of one size in a tf.data pipeline."""

import os

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
    # Floating point even where nothing is to be resized.
    image = tf.image.resize(tf.cast(image, "float32"), image_size, antialias=True)
    return tf.cast(tf.round(image), "uint8")


def _is_plain_jpeg(content):
    """Whether TensorFlow reads the file as `read_image` would, only faster.

    So it is for a whole JPEG file (it ends with its end marker) that opens with a JFIF header
    (grey or colour, never CMYK) and no EXIF header, which may ask for rotation, after it.
    """
    import tensorflow as tf

    padded = tf.strings.join([content, bytes(22)])
    opens = tf.strings.substr(padded, 0, 6) == b"\xff\xd8\xff\xe0\x00\x10"
    no_exif = tf.strings.substr(padded, 20, 2) != b"\xff\xe1"
    ends = tf.strings.substr(tf.strings.join([bytes(2), content]), -2, 2) == b"\xff\xd9"
    return opens & no_exif & ends

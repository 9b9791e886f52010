"""Loads and resizes image files in a `tf.data` pipeline."""

import functools
import os

from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.images.jpeg_reduction import RATIOS
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS, read_image

_JFIF = b"\xff\xd8\xff\xe0\x00\x10"
# The start of the pixels of an image with three channels, and a number of bytes within which it
# usually comes: searching these is faster than searching the whole file.
_SCAN = b"\xff\xda\x00\x0c\x03\x01"
_HEAD_BYTES = 4096


def load_image_tensor(path, image_size, drop_alpha=False, reduce_jpegs=False):
    """Reads an image file and resizes it to `image_size`.

    Args:
        path: string tensor.
        image_size: tuple of ints, `(height, width)`.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        reduce_jpegs: bool. Whether JPEG files of at least twice `image_size` are decoded at 1/2,
            1/4 or 1/8 of their size.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    content = tf.io.read_file(path)
    reduce_to = image_size if reduce_jpegs else None

    def read(name):
        return read_image(os.fsdecode(name), drop_alpha=drop_alpha, reduce_to=reduce_to)

    ratios = (1, *RATIOS) if reduce_jpegs else (1,)
    branch, extent = tf.cond(
        _is_complete_jfif(content),
        lambda: _choose_branch(content, image_size, ratios),
        lambda: (len(ratios), tf.zeros(2)),
    )
    branches = [functools.partial(_decode_jpeg, content, ratio) for ratio in ratios]
    branches.append(lambda: tf.numpy_function(read, [path], "uint8", stateful=False))
    image = tf.switch_case(branch, branches)
    image.set_shape((None, None, 3))
    if not reduce_jpegs:
        return resize_image_tensor(image, image_size)
    size = tf.cast(tf.shape(image)[:2], "float32")
    return resize_image_tensor(image, image_size, tf.where(branch == len(ratios), size, extent))


def _decode_jpeg(content, ratio):
    import tensorflow as tf

    return tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")


def _is_complete_jfif(content):
    """Returns whether the content starts with a JFIF header (gray or color) and has an end."""
    import tensorflow as tf

    is_jfif = tf.strings.substr(tf.strings.join([content, bytes(6)]), 0, 6) == _JFIF
    end = tf.maximum(tf.strings.length(content) - 2, 0)
    return is_jfif & (tf.strings.substr(content, end, 2) == b"\xff\xd9")


def _choose_branch(content, image_size, ratios):
    """Chooses how a complete JPEG file with a JFIF header is decoded.

    TensorFlow decodes these files to the same pixels as `read_image`, but faster, unless they have
    an orientation or are too large.

    Returns:
        A tuple of the index of the largest possible ratio, or `len(ratios)` for `read_image`,
        int32; and the size of the photo divided by the ratio, float32 `(2,)`, which the decoder
        rounds up.
    """
    import tensorflow as tf

    # `\C` matches any byte.
    is_rotated = tf.strings.regex_full_match(
        _cut_header(content), r"\C*(Exif\x00\x00|tiff:Orientation)\C*"
    )
    size = tf.io.extract_jpeg_shape(content)[:2]
    is_large = tf.reduce_prod(tf.cast(size, "int64")) > MAX_PIXELS
    quotient = tf.reduce_min(size // image_size)
    index = tf.math.count_nonzero(quotient >= ratios[1:], dtype="int32")
    extent = tf.cast(size, "float32") / tf.gather(tf.cast(ratios, "float32"), index)
    return tf.where(is_rotated | is_large, len(ratios), index), extent


def _cut_header(content):
    """Returns the part before the pixels, or all of it if their start is not among the first bytes.

    A header with another JPEG file in it, a thumbnail, is not cut, because the orientation may
    come after the thumbnail.
    """
    import tensorflow as tf

    head = tf.strings.substr(content, 0, _HEAD_BYTES)
    parts = tf.raw_ops.StringSplitV2(input=[head], sep=_SCAN, maxsplit=1).values
    images = tf.raw_ops.StringSplitV2(input=parts[:1], sep=_JFIF[:3]).values
    is_header = (tf.size(parts) == 2) & (tf.size(images) == 2)
    return tf.where(is_header, parts[0], content)

"""Decodes WebP files without animation by TensorFlow operations."""

from keras_mmfusion.datasets.images.decoding.byte_tensor import cut_block, find_blocks
from keras_mmfusion.datasets.images.decoding.white_background import remove_alpha


def count_webp_pixels(content, data):
    """Reads the number of pixels from the header; -1 for animations, which can crash TensorFlow.

    Args:
        content: string tensor `()`, the content of the file.
        data: `ByteTensor` of the content.
    """
    import tensorflow as tf

    side = 2**14  # width and height have 14 bits
    bits = data.little_endian(21, 4)
    lossy = data.little_endian(26, 2) % side * (data.little_endian(28, 2) % side)
    lossless = (bits % side + 1) * (bits // side % side + 1)
    extended = (data.little_endian(24, 3) + 1) * (data.little_endian(27, 3) + 1)
    is_animated = data.at(20) // 2 % 2 == 1
    extended = tf.where(is_animated, tf.constant(-1, "int64"), extended)
    pixels = tf.where(data.matches(b"VP8L", 12), lossless, extended)
    return tf.where(data.matches(b"VP8 ", 12), lossy, pixels)


def decode_webp_tensor(content, data, drop_alpha=False):
    """Returns the pixels, uint8 `(height, width, 3)`, the EXIF data and the XMP packet."""
    import tensorflow as tf

    # The channels of the file: 3, or 4 with transparency.
    image = tf.io.decode_image(content, channels=0, expand_animations=False)
    image = tf.ensure_shape(image, (None, None, None))
    image = tf.cond(
        tf.shape(image)[2] == 4,
        lambda: remove_alpha(image, drop_alpha),
        lambda: image[..., :3],
    )

    def next_chunk(index):
        length = tf.minimum(data.little_endian(index + 4, 4), tf.cast(data.size, "int64"))
        return index + 8 + tf.cast(length + length % 2, "int32")

    def is_chunk(kind):
        return lambda index: data.matches(kind, index)

    wanted = {kind: is_chunk(kind) for kind in (b"EXIF", b"XMP ")}
    exif, xmp = (
        cut_block(content, chunk, 8, data.little_endian(chunk + 4, 4))
        for chunk in find_blocks(data, 12, next_chunk, wanted).values()
    )
    return image, exif, xmp

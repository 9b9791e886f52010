"""Decodes PNG files by TensorFlow operations."""

from keras_mmfusion.datasets.images.decoding.byte_tensor import cut_block, find_blocks
from keras_mmfusion.datasets.images.decoding.white_background import remove_alpha

_GRAY, _RGB, _PALETTE = 0, 2, 3  # color types; 4 and 6 are gray and RGB with alpha
_DEPTH, _COLOR = 24, 25  # offsets of the bit depth and the color type
_PROFILE, _XMP = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"


def count_png_pixels(content, data):
    """Reads the number of pixels from the header.

    Args:
        content: string tensor `()`, the content of the file.
        data: `ByteTensor` of the content.
    """
    return data.big_endian(16, 4) * data.big_endian(20, 4)


def decode_png_tensor(content, data, drop_alpha=False):
    """Returns the pixels, uint8 `(height, width, 3)`, the EXIF data and the XMP packet."""
    import tensorflow as tf

    chunks = _find_chunks(data)
    transparency = chunks["tRNS"]
    color = data.at(_COLOR)
    opaque = tf.constant(-1) if drop_alpha else transparency
    image = tf.case(
        [
            (color == _GRAY, lambda: _decode_gray(content, data, opaque)),
            (color == _RGB, lambda: _decode_rgb(content, data, opaque)),
            # With fewer than 8 bits per pixel, TensorFlow would decode the alpha values as 0.
            (
                (color == _PALETTE) & (transparency < 0),
                lambda: tf.io.decode_png(content, channels=3),
            ),
        ],
        default=lambda: remove_alpha(tf.io.decode_png(content, channels=4), drop_alpha),
    )
    exif, profile, xmp = (
        cut_block(content, chunks[name], 8, data.big_endian(chunks[name], 4))
        for name in ("eXIf", "profile", "xmp")
    )
    exif = tf.case(
        [(exif != b"", lambda: exif), (profile != b"", lambda: _parse_profile(profile))],
        default=lambda: b"",
    )
    xmp = tf.cond(xmp == b"", lambda: b"", lambda: _extract_packet(xmp))
    return image, exif, xmp


def _decode_gray(content, data, transparency):
    """Decodes gray images of any bit depth, with 16 bits as an intermediate step."""
    import tensorflow as tf

    image = tf.cast(tf.io.decode_png(content, channels=1, dtype="uint16"), "int32")
    max_value = tf.bitwise.left_shift(1, data.at(_DEPTH)) - 1
    color = tf.cast(data.big_endian(transparency + 8, 2), "int32")
    color = tf.where(transparency < 0, -1, color) * (65535 // max_value)
    image = tf.where(image == color, 65535, image)
    return tf.repeat(tf.cast((image + 128) // 257, "uint8"), 3, axis=-1)


def _decode_rgb(content, data, transparency):
    import tensorflow as tf

    image = tf.io.decode_png(content, channels=3)
    # The image is reduced to the upper 8 of 16 bits, and so must be the transparent color.
    low = tf.where(data.at(_DEPTH) == 16, 0, 1)
    color = tf.cast(data.at(transparency + 8 + low + 2 * tf.range(3)), "uint8")
    is_transparent = tf.reduce_all(image == color, axis=-1, keepdims=True)
    return tf.where((transparency >= 0) & is_transparent, tf.constant(255, "uint8"), image)


def _parse_profile(profile):
    """Parses EXIF data in ImageMagick's format: three lines of text, then hexadecimal digits."""
    import tensorflow as tf

    text = tf.strings.substr(profile, len(_PROFILE), tf.strings.length(profile))
    text = tf.cond(
        tf.strings.substr(text, 0, 1) == b"\0",  # compression method
        lambda: _decompress(text, 1),
        lambda: text,
    )
    digits = tf.strings.reduce_join(tf.strings.split(text, "\n")[3:])
    digits = tf.cast(tf.io.decode_raw(tf.strings.lower(digits), "uint8"), "int32")
    digits = digits - tf.where(digits >= ord("a"), ord("a") - 10, ord("0"))
    pairs = tf.reshape(digits[: tf.size(digits) // 2 * 2], (-1, 2))
    characters = tf.constant([bytes([value]) for value in range(256)])
    return tf.strings.reduce_join(tf.gather(characters, pairs[:, 0] * 16 + pairs[:, 1]))


def _extract_packet(xmp):
    """Returns the XMP packet of a text chunk, which may be compressed."""
    import tensorflow as tf

    flags = len(_XMP)
    # The language and the translated keyword before the packet are empty in all XMP chunks.
    return tf.cond(
        tf.strings.substr(xmp, flags, 1) == b"\1",
        lambda: _decompress(xmp, flags + 4),
        lambda: tf.strings.substr(xmp, flags + 4, tf.strings.length(xmp)),
    )


def _decompress(text, start):
    import tensorflow as tf

    compressed = tf.strings.substr(text, start, tf.strings.length(text))
    return tf.io.decode_compressed(compressed, "ZLIB")


def _find_chunks(data):
    import tensorflow as tf

    def next_chunk(index):
        length = tf.minimum(data.big_endian(index, 4), tf.cast(data.size, "int64"))
        return index + 12 + tf.cast(length, "int32")

    def is_chunk(*magics):
        return lambda index: tf.reduce_any([data.matches(magic, index + 4) for magic in magics])

    wanted = {
        "tRNS": is_chunk(b"tRNS"),
        "eXIf": is_chunk(b"eXIf"),
        "profile": is_chunk(b"tEXt" + _PROFILE, b"zTXt" + _PROFILE),
        "xmp": is_chunk(b"iTXt" + _XMP),
    }
    return find_blocks(data, 8, next_chunk, wanted)

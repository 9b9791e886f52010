"""PNG files to pixels by TensorFlow operations."""

from keras_mmfusion.datasets.images.byte_tensor import cut_block, find_blocks
from keras_mmfusion.datasets.images.white_background import over_white

_GRAY, _RGB, _PALETTE = 0, 2, 3  # types of color; gray and RGB with alpha are 4 and 6
_DEPTH, _COLOR = 24, 25  # where they stand
_PROFILE, _XMP = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"


def png_pixels(content, data):
    """Height times width, from the header.

    Args:
        content: string tensor `()`, the file.
        data: `ByteTensor` of it.
    """
    return data.big_endian(16, 4) * data.big_endian(20, 4)


def decode_png_tensor(content, data):
    """The pixels, uint8 `(height, width, 3)`, EXIF data and XMP packet. Arguments as above."""
    import tensorflow as tf

    chunks = _chunks(data)
    clear = chunks["tRNS"]
    color = data.at(_COLOR)
    image = tf.case(
        [
            (color == _GRAY, lambda: _gray(content, data, clear)),
            (color == _RGB, lambda: _rgb(content, data, clear)),
            # TensorFlow would take the opacity of less than 8 bits for 0.
            (
                (color == _PALETTE) & (clear < 0),
                lambda: tf.io.decode_png(content, channels=3),
            ),
        ],
        default=lambda: over_white(tf.io.decode_png(content, channels=4)),
    )
    exif, profile, xmp = (
        cut_block(content, chunks[name], 8, data.big_endian(chunks[name], 4))
        for name in ("eXIf", "profile", "xmp")
    )
    exif = tf.case(
        [(exif != b"", lambda: exif), (profile != b"", lambda: _unpacked(profile))],
        default=lambda: b"",
    )
    xmp = tf.cond(xmp == b"", lambda: b"", lambda: _packet(xmp))
    return image, exif, xmp


def _gray(content, data, clear):
    """Gray of any depth, by way of 16 bits."""
    import tensorflow as tf

    image = tf.cast(tf.io.decode_png(content, channels=1, dtype="uint16"), "int32")
    largest = tf.bitwise.left_shift(1, data.at(_DEPTH)) - 1
    clear = tf.where(clear < 0, -1, tf.cast(data.big_endian(clear + 8, 2), "int32"))
    clear = clear * (65535 // largest)
    image = tf.where(image == clear, 65535, image)
    return tf.repeat(tf.cast((image + 128) // 257, "uint8"), 3, axis=-1)


def _rgb(content, data, clear):
    import tensorflow as tf

    image = tf.io.decode_png(content, channels=3)
    # Of 16 bits the upper half is taken, of the color as of the image.
    low = tf.where(data.at(_DEPTH) == 16, 0, 1)
    color = tf.cast(data.at(clear + 8 + low + 2 * tf.range(3)), "uint8")
    is_clear = (clear >= 0) & tf.reduce_all(image == color, axis=-1, keepdims=True)
    return tf.where(is_clear, tf.constant(255, "uint8"), image)


def _unpacked(profile):
    """EXIF data as ImageMagick writes it: a text of three lines and hexadecimal digits."""
    import tensorflow as tf

    text = tf.strings.substr(profile, len(_PROFILE), tf.strings.length(profile))
    text = tf.cond(
        tf.strings.substr(text, 0, 1) == b"\0",  # the method of compression
        lambda: _decompressed(text, 1),
        lambda: text,
    )
    digits = tf.strings.reduce_join(tf.strings.split(text, "\n")[3:])
    digits = tf.cast(tf.io.decode_raw(tf.strings.lower(digits), "uint8"), "int32")
    digits = digits - tf.where(digits >= ord("a"), ord("a") - 10, ord("0"))
    pairs = tf.reshape(digits[: tf.size(digits) // 2 * 2], (-1, 2))
    letters = tf.constant([bytes([value]) for value in range(256)])
    return tf.strings.reduce_join(tf.gather(letters, pairs[:, 0] * 16 + pairs[:, 1]))


def _packet(xmp):
    """The packet of XMP in a chunk of text, packed or not."""
    import tensorflow as tf

    flags = len(_XMP)
    # Before the packet are a language and a translated name, empty in all files of XMP.
    return tf.cond(
        tf.strings.substr(xmp, flags, 1) == b"\1",
        lambda: _decompressed(xmp, flags + 4),
        lambda: tf.strings.substr(xmp, flags + 4, tf.strings.length(xmp)),
    )


def _decompressed(text, start):
    import tensorflow as tf

    packed = tf.strings.substr(text, start, tf.strings.length(text))
    return tf.io.decode_compressed(packed, "ZLIB")


def _chunks(data):
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

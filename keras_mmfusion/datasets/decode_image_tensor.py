"""Encoded images to pixels by TensorFlow operations alone, for graphs that run without Python."""

from keras_mmfusion.datasets.exif_orientation import exif_orientation, upright
from keras_mmfusion.datasets.read_image import MAX_PIXELS

OK, EMPTY, NOT_AN_IMAGE, TOO_LARGE, DAMAGED = range(5)
ERRORS = {
    EMPTY: "empty",
    NOT_AN_IMAGE: "not a JPEG, PNG, GIF, BMP or WebP without animation",
    TOO_LARGE: "more than 89 million pixels",
    DAMAGED: "damaged",
}


def decode_image_tensors(contents, convert, size, max_pixels=MAX_PIXELS):
    """Decodes a batch of files, each by itself: what one of them breaks, the others do not feel.

    JPEG (its EXIF rotation applied), PNG (transparency laid over white), GIF (the first frame),
    WebP (without animation, which TensorFlow 2.21 refuses or crashes at) and BMP. An image's dims
    are read from its header before anything is decoded.

    Args:
        contents: string tensor `(batch,)`, the files.
        convert: function, uint8 `(height, width, 3)` -> float32 `(*size, 3)`.
        size: tuple of ints, `(height, width)`.
        max_pixels: int. Larger images are refused.

    Returns:
        Images, float32 `(batch, *size, 3)`, zeros where a file is no image; and error codes,
        int32 `(batch,)`: 0 all is well, 1 empty, 2 not an image of these formats, 3 more than
        `max_pixels`, 4 damaged.
    """
    import tensorflow as tf

    def load(index, content, code):
        with tf.control_dependencies([tf.debugging.Assert(code == OK, [code])]):
            content = tf.identity(content)
        return index, tf.ensure_shape(convert(_decode(content)), (*size, 3))

    count = tf.shape(contents)[0]
    codes = tf.map_fn(
        lambda content: _header_code(content, max_pixels), contents, fn_output_signature="int32"
    )
    # No operation catches errors, but a data set leaves elements out that raise them. The row
    # behind the last is there so that there always is one.
    nothing = (tf.reshape(count, (1,)), tf.zeros((1, *size, 3)))
    loaded = tf.data.Dataset.from_tensor_slices((tf.range(count), contents, codes))
    loaded = loaded.map(load, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    loaded = loaded.concatenate(tf.data.Dataset.from_tensor_slices(nothing))
    indices, images = loaded.batch(tf.cast(count, "int64") + 1).get_single_element()
    images = tf.scatter_nd(indices[:, tf.newaxis], images, (count + 1, *size, 3))[:count]
    decoded = tf.scatter_nd(indices[:, tf.newaxis], tf.ones_like(indices), (count + 1,))[:count]
    codes = tf.where((codes == OK) & (decoded == 0), DAMAGED, codes)
    return images, codes


def _header_code(content, max_pixels):
    """What the first bytes tell: one of the error codes."""
    import tensorflow as tf

    header = tf.strings.substr(tf.strings.join([content, bytes(32)]), 0, 32)
    data = tf.cast(tf.io.decode_raw(header, "uint8"), "int64")

    def starts(magic, place=0):
        return tf.reduce_all(data[place : place + len(magic)] == tf.constant(list(magic), "int64"))

    def number(*places):
        """An integer from its bytes, the lowest first."""
        return sum(data[place] * 256**power for power, place in enumerate(places))

    none = tf.constant(-1, "int64")

    def riff_pixels():
        side = 2**14  # Of 14 bits each.
        lossy = number(26, 27) % side * (number(28, 29) % side)
        bits = number(21, 22, 23, 24)
        lossless = (bits % side + 1) * (bits // side % side + 1)
        extended = (number(24, 25, 26) + 1) * (number(27, 28, 29) + 1)
        is_animated = starts(b"VP8X", 12) & (data[20] // 2 % 2 == 1)
        return tf.case(
            [
                (starts(b"VP8 ", 12), lambda: lossy),
                (starts(b"VP8L", 12), lambda: lossless),
                (is_animated, lambda: none),
            ],
            default=lambda: extended,
        )

    pixels = tf.case(
        [
            (starts(b"\xff\xd8\xff"), lambda: _jpeg_pixels(content)),
            (starts(b"\x89PNG\r\n\x1a\n"), lambda: number(19, 18, 17, 16) * number(23, 22, 21, 20)),
            (starts(b"GIF8"), lambda: number(6, 7) * number(8, 9)),
            (starts(b"RIFF") & starts(b"WEBP", 8), riff_pixels),
            # The height of a bitmap is negative where its rows run from the top.
            (starts(b"BM"), lambda: number(18, 19, 20, 21) * _magnitude(number(22, 23, 24, 25))),
        ],
        default=lambda: none,
    )
    code = tf.where(pixels < 0, NOT_AN_IMAGE, tf.where(pixels > max_pixels, TOO_LARGE, OK))
    return tf.where(tf.strings.length(content) == 0, EMPTY, code)


def _magnitude(number):
    import tensorflow as tf

    return tf.minimum(number, 2**32 - number)


def _jpeg_pixels(content):
    """Height times width from the frame header; 0 where there is none before the data ends."""
    import tensorflow as tf

    size = tf.strings.length(content)

    def bytes_at(place, count):
        padded = tf.strings.join([tf.strings.substr(content, place, count), bytes(count)])
        data = tf.io.decode_raw(tf.strings.substr(padded, 0, count), "uint8")
        return tf.cast(tf.ensure_shape(data, (count,)), "int32")

    def is_frame(marker):
        # SOF0 to SOF15, but for the three codes among them that are something else.
        other = (marker == 0xC4) | (marker == 0xC8) | (marker == 0xCC)
        return (marker >= 0xC0) & (marker <= 0xCF) & ~other

    def unseen(place):
        head = bytes_at(place, 2)
        return (head[0] == 0xFF) & ~is_frame(head[1]) & (place + 4 < size)

    def next_segment(place):
        head = bytes_at(place, 4)
        # A marker may be preceded by any number of fill bytes.
        step = tf.where(head[1] == 0xFF, 1, 2 + tf.maximum(head[2] * 256 + head[3], 2))
        return (tf.minimum(place + step, size),)

    (place,) = tf.while_loop(unseen, next_segment, (tf.constant(2),))
    frame = tf.cast(bytes_at(tf.minimum(place, size), 9), "int64")
    pixels = (frame[5] * 256 + frame[6]) * (frame[7] * 256 + frame[8])
    return tf.where(is_frame(tf.cast(frame[1], "int32")), pixels, 0)


def _decode(content):
    import tensorflow as tf

    def starts(magic):
        return tf.strings.substr(tf.strings.join([content, bytes(8)]), 0, len(magic)) == magic

    def jpeg():
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        return upright(image, exif_orientation(content))

    def transparent_png():
        image = tf.cast(tf.io.decode_png(content, channels=4), "int32")
        color, opacity = image[..., :3], image[..., 3:]
        # As Pillow rounds it.
        return tf.cast((color * opacity + 255 * (255 - opacity) + 127) // 255, "uint8")

    def png():
        # Grey of less than 8 bits: TensorFlow would take the opacity of its pixels for 0.
        depth_and_color = tf.strings.substr(tf.strings.join([content, bytes(26)]), 24, 2)
        is_plain = tf.reduce_any(depth_and_color == [b"\1\0", b"\2\0", b"\4\0"])
        return tf.cond(is_plain, lambda: tf.io.decode_png(content, channels=3), transparent_png)

    def other():
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
        return tf.ensure_shape(image, (None, None, 3))

    return tf.case([(starts(b"\xff\xd8\xff"), jpeg), (starts(b"\x89PNG"), png)], default=other)

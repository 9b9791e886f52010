"""Decodes the first frame of GIF files by TensorFlow operations."""

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_WHITE = b"\xff\xff\xff"


def count_gif_pixels(content, data):
    """Reads the number of pixels from the headers; -1 if the first frame does not fill the canvas.

    TensorFlow fills the rest of the canvas with black, Pillow with a color of the palette.

    Args:
        content: string tensor `()`, the content of the file.
        data: `ByteTensor` of the content.
    """
    import tensorflow as tf

    frame, _ = _find_first_frame(data)
    left, top, width, height = (data.little_endian(frame + 1 + 2 * i, 2) for i in range(4))
    columns, rows = data.little_endian(6, 2), data.little_endian(8, 2)
    is_full = (left == 0) & (top == 0) & (width >= columns) & (height >= rows)
    pixels = tf.maximum(columns, left + width) * tf.maximum(rows, top + height)
    return tf.where(is_full | (frame >= data.size), pixels, tf.constant(-1, "int64"))


def decode_gif_tensor(content, data, drop_alpha=False):
    """Returns the pixels, uint8 `(height, width, 3)`, and empty EXIF data and XMP packet."""
    import tensorflow as tf

    frame, control = _find_first_frame(data)
    flags, global_flags = data.at(frame + 9), data.at(10)
    is_local = flags >= 128
    palette = tf.where(is_local, frame + 10, 13)
    end = frame + 10 + tf.where(is_local, _count_palette_bytes(flags), 0) + 1
    end = tf.while_loop(
        lambda index: (index < data.size) & (data.at(index) > 0),
        lambda index: (index + 1 + data.at(index),),
        (end,),
    )[0]
    content = tf.strings.join([tf.strings.substr(content, 0, end + 1), b";"])

    def make_opaque():
        """Makes the transparent color white or opaque; TensorFlow would decode it as black."""
        opaque = _patch(content, control + 3, b"\0")
        if drop_alpha:
            return opaque
        color = data.at(control + 6)
        count = _count_palette_bytes(tf.where(is_local, flags, global_flags)) // 3
        white = tf.where(color < count, _WHITE, b"")
        return _patch(opaque, palette + 3 * color, white)

    content = tf.cond(control >= 0, make_opaque, lambda: content)
    return tf.ensure_shape(tf.io.decode_gif(content), (1, None, None, 3))[0], b"", b""


def _count_palette_bytes(flags):
    import tensorflow as tf

    return 3 * tf.bitwise.left_shift(2, flags % 8)


def _patch(content, index, new):
    import tensorflow as tf

    rest = tf.strings.substr(content, index + tf.strings.length(new), tf.strings.length(content))
    return tf.strings.join([tf.strings.substr(content, 0, index), new, rest])


def _find_first_frame(data):
    """Finds the first frame and the control extension with its transparent color.

    Returns:
        A tuple of the index of the frame, which is not less than the size of the file if there is
        no frame, and the index of the extension, or -1 if no color is transparent.
    """
    import tensorflow as tf

    def before_frame(index, is_part, control):
        return (index < data.size) & (is_part | (data.at(index) != _FRAME))

    def step(index, is_part, control):
        """Skips the two bytes of an extension, or one of its sub-blocks; the last one is empty."""
        is_control = ~is_part & (data.at(index + 1) == _CONTROL) & (data.at(index + 3) % 2 == 1)
        starts = ~is_part & (data.at(index) == _EXTENSION)
        length = data.at(index)
        following = tf.where(is_part, index + 1 + length, tf.where(starts, index + 2, index + 1))
        return (
            following,
            starts | (is_part & (length > 0)),
            tf.where(starts & is_control, index, control),
        )

    flags = data.at(10)
    start = 13 + tf.where(flags >= 128, _count_palette_bytes(flags), 0)
    frame, _, control = tf.while_loop(before_frame, step, (start, tf.constant(False), -1))
    return frame, control

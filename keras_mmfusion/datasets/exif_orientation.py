"""The rotation that a camera notes in a JPEG file, read and applied by TensorFlow operations."""

_TAG = 0x0112  # EXIF 2.3, section 4.6.4 A: Orientation
_APP1, _SCAN = 0xE1, 0xDA
_EXIF = (0x45, 0x78, 0x69, 0x66, 0, 0)  # "Exif", 0, 0
_MOST_BYTES = 1 << 17  # EXIF stands in one of the first segments; a segment has 64 KiB at most.


def exif_orientation(content):
    """The orientation, 1 to 8, that a JPEG file's EXIF header asks for; 1 where it has none.

    Args:
        content: string tensor `()`, the file.

    Returns:
        int32 tensor `()`.

    Reference:
        JEITA CP-3451C (EXIF 2.3), sections 4.5.2 and 4.6.4.
    """
    import tensorflow as tf

    size = tf.minimum(tf.strings.length(content), _MOST_BYTES)
    data = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, size), "uint8"), "int32")

    def byte(place):
        """The bytes at `place`; beyond the end, zeros."""
        inside = (place >= 0) & (place < size)
        # With one byte more, so that there is something to gather from in an empty file.
        padded = tf.concat([data, [0]], axis=0)
        return tf.where(inside, tf.gather(padded, tf.where(inside, place, size)), 0)

    def big_endian(place):
        return byte(place) * 256 + byte(place + 1)

    def is_exif(place):
        header = tf.reduce_all(byte(place + 4 + tf.range(len(_EXIF))) == tf.constant(_EXIF))
        return (byte(place + 1) == _APP1) & header

    def unseen(place):
        is_segment = (byte(place) == 0xFF) & (byte(place + 1) != _SCAN)
        return is_segment & ~is_exif(place)

    def next_segment(place):
        return (place + 2 + tf.maximum(big_endian(place + 2), 2),)

    (segment,) = tf.while_loop(unseen, next_segment, (tf.constant(2),))
    tiff = segment + 10
    little = byte(tiff) == 0x49  # "II", Intel's byte order; otherwise "MM", Motorola's

    def short(place):
        first, second = byte(place), byte(place + 1)
        return tf.where(little, first + 256 * second, 256 * first + second)

    # The upper half of the offset is left out: it would lie beyond the segment.
    directory = tiff + short(tiff + tf.where(little, 4, 6))
    entries = directory + 2 + 12 * tf.range(short(directory))
    values = tf.boolean_mask(short(entries + 8), short(entries) == _TAG)
    value = tf.concat([values, [1]], axis=0)[0]
    return tf.where(is_exif(segment) & (value >= 1) & (value <= 8), value, 1)


def upright(image, orientation):
    """The image `(height, width, channels)` turned as its EXIF orientation says."""
    import tensorflow as tf

    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    # What is left is to mirror: columns, rows, or both.
    columns = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    rows = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    image = tf.cond(columns, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(rows, lambda: tf.reverse(image, [0]), lambda: image)

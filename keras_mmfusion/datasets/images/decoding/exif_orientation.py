"""Reads and applies the orientation in EXIF or XMP data by TensorFlow operations."""

from keras_mmfusion.datasets.images.decoding.byte_tensor import ByteTensor

_TAG = 0x0112  # EXIF 2.3, section 4.6.4 A: Orientation
_SHORT, _LONG = 3, 4  # value types
_PREFIX = b"Exif\0\0"
_XMP_VALUE = r'tiff:Orientation(?:="|>)'


def read_orientation(exif, xmp):
    """Reads the orientation from the EXIF data or, if they have none, from the XMP packet.

    Args:
        exif: string tensor `()`. EXIF data, or empty.
        xmp: string tensor `()`. An XMP packet, or empty.

    Returns:
        int32 tensor `()`. The image must be transformed if the value is from 2 to 8.
    """
    import tensorflow as tf

    orientation = tf.cond(exif == b"", lambda: -1, lambda: read_exif_orientation(exif))
    return tf.cond(orientation < 0, lambda: _xmp_orientation(xmp), lambda: orientation)


def read_exif_orientation(exif):
    """Reads the orientation tag of EXIF data.

    Args:
        exif: string tensor `()`. A TIFF header and its directory, with or without the prefix
            `"Exif", 0, 0`.

    Returns:
        int32 tensor `()`. The value of the tag, 1 to 8 if it is valid; -1 without the tag.

    Reference:
        JEITA CP-3451C (EXIF 2.3), sections 4.5.2 and 4.6.4.
    """
    import tensorflow as tf

    data = ByteTensor(exif)
    start = tf.where(data.matches(_PREFIX), len(_PREFIX), 0)
    little = data.at(start) == 0x49  # "II", Intel's byte order; otherwise "MM", Motorola's

    def short(index):
        first, second = data.at(index), data.at(index + 1)
        return tf.where(little, first + 256 * second, 256 * first + second)

    # The lower half of the offset is sufficient: JPEG segments have at most 64 KiB.
    directory = start + short(start + tf.where(little, 4, 6))
    entries = directory + 2 + 12 * tf.range(short(directory))
    entries = tf.boolean_mask(entries, short(entries) == _TAG)
    entry = tf.concat([entries, [-1]], axis=0)[0]
    kind = short(entry + 2)
    # Only the lower half of a long integer is read, which comes second in Motorola's order.
    value = short(entry + tf.where((kind == _LONG) & ~little, 10, 8))
    known = (kind == _SHORT) | (kind == _LONG)
    is_tiff = data.matches(b"II*\0", start) | data.matches(b"MM\0*", start)
    return tf.where((entry > 0) & known & is_tiff, value, -1)


def _xmp_orientation(packet):
    import tensorflow as tf

    # `\C` matches any byte, also in text that is not UTF-8.
    pattern = rf"\C*?{_XMP_VALUE}([0-9])\C*"
    value = tf.strings.regex_replace(packet, rf"^{pattern}$", r"\1")
    has_value = tf.strings.regex_full_match(packet, pattern)
    return tf.strings.to_number(tf.where(has_value, value, "1"), "int32")


def apply_orientation(image, orientation):
    """Rotates and flips an image `(height, width, channels)` according to its orientation."""
    import tensorflow as tf

    is_transposed = (orientation >= 5) & (orientation <= 8)
    image = tf.cond(is_transposed, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    # Then flip columns, rows, or both.
    columns = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    rows = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    image = tf.cond(columns, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(rows, lambda: tf.reverse(image, [0]), lambda: image)

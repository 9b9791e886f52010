"""The rotation that a camera notes in a file, read and applied by TensorFlow operations."""

from keras_mmfusion.datasets.images.byte_tensor import ByteTensor

_TAG = 0x0112  # EXIF 2.3, section 4.6.4 A: Orientation
_SHORT, _LONG = 3, 4  # types of a value
_PREFIX = b"Exif\0\0"
_XMP_VALUE = r'tiff:Orientation(?:="|>)'


def file_orientation(exif, xmp):
    """The orientation that a file asks for: by its EXIF data or, where that is silent, by XMP.

    Args:
        exif: string tensor `()`, EXIF data, or empty.
        xmp: string tensor `()`, an XMP packet, or empty.

    Returns:
        int32 tensor `()`; 2 to 8 is something to do.
    """
    import tensorflow as tf

    orientation = tf.cond(exif == b"", lambda: -1, lambda: exif_orientation(exif))
    return tf.cond(orientation < 0, lambda: _xmp_orientation(xmp), lambda: orientation)


def exif_orientation(exif):
    """The value of the orientation's tag in EXIF data.

    Args:
        exif: string tensor `()`: a TIFF header, after `"Exif", 0, 0` or not, and what it tells of.

    Returns:
        int32 tensor `()`: 1 to 8 where all is well; -1 where there is no such tag.

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

    # The upper half of the offset is left out: segments of a JPEG file have 64 KiB at most.
    directory = start + short(start + tf.where(little, 4, 6))
    entries = directory + 2 + 12 * tf.range(short(directory))
    entries = tf.boolean_mask(entries, short(entries) == _TAG)
    entry = tf.concat([entries, [-1]], axis=0)[0]
    kind = short(entry + 2)
    # Of a long integer the lower half is read, which stands behind in Motorola's order.
    value = short(entry + tf.where((kind == _LONG) & ~little, 10, 8))
    known = (kind == _SHORT) | (kind == _LONG)
    is_tiff = data.matches(b"II*\0", start) | data.matches(b"MM\0*", start)
    return tf.where((entry > 0) & known & is_tiff, value, -1)


def _xmp_orientation(packet):
    import tensorflow as tf

    # `\C` is any byte, of text that is UTF-8 or not.
    pattern = rf"\C*?{_XMP_VALUE}([0-9])\C*"
    value = tf.strings.regex_replace(packet, rf"^{pattern}$", r"\1")
    has_value = tf.strings.regex_full_match(packet, pattern)
    return tf.strings.to_number(tf.where(has_value, value, "1"), "int32")


def upright(image, orientation):
    """The image `(height, width, channels)` turned as its orientation says, if it is 2 to 8."""
    import tensorflow as tf

    across = (orientation >= 5) & (orientation <= 8)
    image = tf.cond(across, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    # What is left is to mirror: columns, rows, or both.
    columns = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    rows = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    image = tf.cond(columns, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(rows, lambda: tf.reverse(image, [0]), lambda: image)

"""Decodes uncompressed BMP files by TensorFlow operations."""

from keras_mmfusion.datasets.images.decoding.white_background import remove_alpha

_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes; the OS/2 header, 12, has 2-byte integers
_MASKS = 54  # offset
_PLAIN, _MASKED = 0, 3  # compression methods
# 32-bit masks of red, green, blue and alpha -> their byte positions; -1 without alpha.
_ORDERS = {
    (0x00FF0000, 0x0000FF00, 0x000000FF, 0): (2, 1, 0, -1),
    (0xFF000000, 0x00FF0000, 0x0000FF00, 0): (3, 2, 1, -1),
    (0xFF000000, 0x0000FF00, 0x000000FF, 0): (3, 1, 0, -1),
    (0xFF000000, 0x00FF0000, 0x0000FF00, 0x000000FF): (3, 2, 1, 0),
    (0x000000FF, 0x0000FF00, 0x00FF0000, 0xFF000000): (0, 1, 2, 3),
    (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000): (2, 1, 0, 3),
    (0xFF000000, 0x0000FF00, 0x000000FF, 0x00FF0000): (3, 1, 0, 2),
    (0, 0, 0, 0): (2, 1, 0, 3),
}
_MASKS_565, _MASKS_555 = (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)
_MASKS_888 = (0xFF0000, 0xFF00, 0xFF)


def count_bmp_pixels(content, data):
    """Reads the number of pixels from the header; -1 for unsupported variants, such as RLE.

    Args:
        content: string tensor `()`, the content of the file.
        data: `ByteTensor` of the content.
    """
    import tensorflow as tf

    header = _Header(data)
    is_masked = (header.bits == 32) & (header.order[0] >= 0)
    is_masked |= (header.bits == 24) & header.has_masks(_MASKS_888)
    is_masked |= (header.bits == 16) & (header.has_masks(_MASKS_565) | header.has_masks(_MASKS_555))
    supported = (header.compression == _PLAIN) | ((header.compression == _MASKED) & is_masked)
    supported &= tf.reduce_any(header.size == tf.constant(_HEADERS))
    supported &= tf.reduce_any(header.bits == tf.constant([1, 4, 8, 16, 24, 32]))
    return tf.where(supported, header.width * header.height, tf.constant(-1, "int64"))


def decode_bmp_tensor(content, data, drop_alpha=False):
    """Returns the pixels, uint8 `(height, width, 3)`, and empty EXIF data and XMP packet."""
    import tensorflow as tf

    header = _Header(data)
    width, height = tf.cast(header.width, "int32"), tf.cast(header.height, "int32")
    row = (width * header.bits + 31) // 32 * 4
    rows = tf.strings.substr(content, header.offset, row * height)
    rows = tf.reshape(tf.io.decode_raw(rows, "uint8"), (height, row))
    image = tf.case(
        [
            (header.bits <= 8, lambda: _from_palette(rows, width, header)),
            (header.bits == 16, lambda: _from_16_bits(rows, width, header)),
            (header.bits == 24, lambda: _from_bytes(rows, width, 3)[..., ::-1]),
        ],
        default=lambda: _from_32_bits(rows, width, header, drop_alpha),
    )
    return tf.cond(header.top_down, lambda: image, lambda: tf.reverse(image, [0])), b"", b""


class _Header:
    """The fields of the header, as scalar tensors."""

    def __init__(self, data):
        import tensorflow as tf

        def number(index, count):
            return tf.cast(data.little_endian(index, count), "int32")

        self.data = data
        self.size = number(14, 4)
        is_short = self.size == 12
        self.top_down = ~is_short & (data.at(25) == 0xFF)
        height = data.little_endian(22, 4)
        height = tf.where(self.top_down, 2**32 - height, height)
        self.width = tf.where(is_short, data.little_endian(18, 2), data.little_endian(18, 4))
        self.height = tf.where(is_short, data.little_endian(20, 2), height)
        self.bits = tf.where(is_short, number(24, 2), number(28, 2))
        self.compression = tf.where(is_short, _PLAIN, number(30, 4))
        self.color_bytes = tf.where(is_short, 3, 4)
        colors = tf.where(is_short, 0, number(46, 4))
        max_colors = tf.bitwise.left_shift(1, tf.minimum(self.bits, 8))
        self.colors = tf.where((colors == 0) | (self.bits > 8), max_colors, colors)
        # The offset of some files does not include the palette.
        offset, end = number(10, 4), 14 + self.size
        palette = tf.where((offset == end) & (self.bits <= 8), self.colors * self.color_bytes, 0)
        self.offset = offset + palette
        masks = tf.reshape(tf.cast(data.at(_MASKS + tf.range(16)), "int64"), (4, 4))
        masks = tf.reduce_sum(masks * tf.constant([1, 2**8, 2**16, 2**24], "int64"), axis=1)
        # Short headers have no alpha mask.
        self.masks = tf.where((self.size < 56) & (tf.range(4) == 3), tf.zeros_like(masks), masks)

    def has_masks(self, masks):
        import tensorflow as tf

        return tf.reduce_all(self.masks[: len(masks)] == tf.constant(masks, "int64"))

    @property
    def order(self):
        """The byte positions of red, green, blue and alpha in a pixel; -1 for missing channels."""
        import tensorflow as tf

        known = tf.reduce_all(self.masks == tf.constant(list(_ORDERS), "int64"), axis=1)
        row = tf.where(tf.reduce_any(known), tf.argmax(tf.cast(known, "int32")), len(_ORDERS))
        order = tf.constant([*_ORDERS.values(), (-1, -1, -1, -1)])[row]
        plain = tf.constant(_ORDERS[0xFF0000, 0xFF00, 0xFF, 0])
        return tf.where(self.compression == _PLAIN, plain, order)


def _from_palette(rows, width, header):
    import tensorflow as tf

    shifts = tf.cast(tf.range(8 - header.bits, -1, -header.bits), "uint8")
    mask = tf.cast(tf.bitwise.left_shift(1, header.bits) - 1, "uint8")
    indices = tf.bitwise.bitwise_and(tf.bitwise.right_shift(rows[..., None], shifts), mask)
    indices = tf.cast(tf.reshape(indices, (tf.shape(rows)[0], -1))[:, :width], "int32")
    # Colors beyond the palette are black.
    colors = tf.range(256)[:, None]
    offsets = 14 + header.size + colors * header.color_bytes + tf.constant([2, 1, 0])
    palette = tf.where(colors < header.colors, header.data.at(offsets), 0)
    return tf.gather(tf.cast(palette, "uint8"), indices)


def _from_16_bits(rows, width, header):
    import tensorflow as tf

    pairs = tf.cast(tf.reshape(rows, (tf.shape(rows)[0], -1, 2))[:, :width], "int32")
    pixels = pairs[..., 0] + 256 * pairs[..., 1]
    has_6_bits = (header.compression == _MASKED) & header.has_masks(_MASKS_565)
    green_bits = tf.where(has_6_bits, 6, 5)

    def channel(shift, bits):
        max_value = tf.bitwise.left_shift(1, bits) - 1
        value = tf.bitwise.bitwise_and(tf.bitwise.right_shift(pixels, shift), max_value)
        return tf.cast(value * 255 // max_value, "uint8")

    return tf.stack([channel(5 + green_bits, 5), channel(5, green_bits), channel(0, 5)], axis=-1)


def _from_32_bits(rows, width, header, drop_alpha):
    import tensorflow as tf

    pixels, order = _from_bytes(rows, width, 4), header.order
    color = tf.gather(pixels, order[:3], axis=-1)

    def blend():
        image = tf.concat([color, tf.gather(pixels, order[3:], axis=-1)], axis=-1)
        return remove_alpha(image, drop_alpha)

    return tf.cond(order[3] < 0, lambda: color, blend)


def _from_bytes(rows, width, count):
    import tensorflow as tf

    return tf.reshape(rows[:, : width * count], (tf.shape(rows)[0], width, count))

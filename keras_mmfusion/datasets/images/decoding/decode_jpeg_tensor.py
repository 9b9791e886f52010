"""Decodes JPEG files by TensorFlow operations."""

from keras_mmfusion.datasets.images.decoding.byte_tensor import cut_block, find_blocks

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_APP1, _APP14, _SCAN = 0xE1, 0xEE, 0xDA


def count_jpeg_pixels(content, data):
    """Reads the number of pixels from the frame header; 0 without one, -1 if unsupported.

    Args:
        content: string tensor `()`, the content of the file.
        data: `ByteTensor` of the content.
    """
    import tensorflow as tf

    segments = find_jpeg_segments(data)
    frame = segments["frame"]
    pixels = data.big_endian(frame + 5, 2) * data.big_endian(frame + 7, 2)
    # Pillow treats all CMYK files as inverted (Adobe), TensorFlow only those with Adobe's marker.
    plain_cmyk = (data.at(frame + 9) == 4) & (segments["adobe"] < 0)
    pixels = tf.where(plain_cmyk, tf.constant(-1, "int64"), pixels)
    return tf.where(frame < 0, tf.constant(0, "int64"), pixels)


def decode_jpeg_tensor(content, data, drop_alpha=False):
    """Returns the pixels, uint8 `(height, width, 3)`, the EXIF data and the XMP packet."""
    import tensorflow as tf

    image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    segments = find_jpeg_segments(data)
    exif, xmp = (
        cut_block(content, segments[name], 4, data.big_endian(segments[name] + 2, 2) - 2)
        for name in ("exif", "xmp")
    )
    return image, exif, xmp


def find_jpeg_segments(data):
    """Finds the segments `"frame"`, `"adobe"`, `"exif"` and `"xmp"`; see `find_blocks`.

    Args:
        data: `ByteTensor`.
    """
    import tensorflow as tf

    def marker(index):
        return data.at(index + 1)

    def next_segment(index):
        # A marker may be preceded by any number of fill bytes.
        length = tf.cast(data.big_endian(index + 2, 2), "int32")
        step = tf.where(marker(index) == 0xFF, 1, 2 + tf.maximum(length, 2))
        over = (data.at(index) != 0xFF) | (marker(index) == _SCAN)
        return tf.where(over, index, index + step)

    def is_frame(index):
        # SOF0 to SOF15, except for the three codes in this range with another meaning.
        code = marker(index)
        other = (code == 0xC4) | (code == 0xC8) | (code == 0xCC)
        return (data.at(index) == 0xFF) & (code >= 0xC0) & (code <= 0xCF) & ~other

    def is_segment(code, magic):
        return lambda index: (marker(index) == code) & data.matches(magic, index + 4)

    wanted = {
        "frame": is_frame,
        "adobe": is_segment(_APP14, b"Adobe"),
        "exif": is_segment(_APP1, _EXIF),
        "xmp": is_segment(_APP1, _XMP),
    }
    return find_blocks(data, 2, next_segment, wanted)

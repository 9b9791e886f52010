"""Decodes images by TensorFlow operations only, for graphs that run without Python."""

from keras_mmfusion.datasets.images.decoding.byte_tensor import ByteTensor
from keras_mmfusion.datasets.images.decoding.decode_bmp_tensor import (
    count_bmp_pixels,
    decode_bmp_tensor,
)
from keras_mmfusion.datasets.images.decoding.decode_gif_tensor import (
    count_gif_pixels,
    decode_gif_tensor,
)
from keras_mmfusion.datasets.images.decoding.decode_jpeg_tensor import (
    count_jpeg_pixels,
    decode_jpeg_tensor,
)
from keras_mmfusion.datasets.images.decoding.decode_png_tensor import (
    count_png_pixels,
    decode_png_tensor,
)
from keras_mmfusion.datasets.images.decoding.decode_webp_tensor import (
    count_webp_pixels,
    decode_webp_tensor,
)
from keras_mmfusion.datasets.images.decoding.exif_orientation import (
    apply_orientation,
    read_orientation,
)
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS

OK, EMPTY, NOT_AN_IMAGE, TOO_LARGE, DAMAGED, UNSUPPORTED = range(6)
ERRORS = {
    EMPTY: "empty",
    NOT_AN_IMAGE: "not a JPEG, PNG, GIF, BMP or WebP",
    TOO_LARGE: "more than 89 million pixels",
    DAMAGED: "damaged",
    UNSUPPORTED: "a variant of its format that an exported model does not decode",
}
# The magic bytes of each format by index; the function that counts the pixels; the decoder.
_FORMATS = (
    ({0: b"\xff\xd8\xff"}, count_jpeg_pixels, decode_jpeg_tensor),
    ({0: b"\x89PNG\r\n\x1a\n"}, count_png_pixels, decode_png_tensor),
    ({0: b"GIF8"}, count_gif_pixels, decode_gif_tensor),
    ({0: b"RIFF", 8: b"WEBP"}, count_webp_pixels, decode_webp_tensor),
    ({0: b"BM"}, count_bmp_pixels, decode_bmp_tensor),
)


def decode_image_tensors(
    contents, convert, image_size, max_pixels=MAX_PIXELS, drop_alpha=False, channels=3
):
    """Decodes a batch of files independently, so that an invalid file does not affect the others.

    JPEG, PNG, GIF (first frame), WebP and BMP files give the same pixels as `read_image`: EXIF
    rotation is applied, transparent pixels are blended with white, and 16-bit values are converted
    to 8 bits. The pixels of JPEG files may differ by 3 of 255, because TensorFlow and Pillow use
    different builds of the decoder. The size is read from the header before decoding.

    Unsupported variants are WebP animations (TensorFlow 2.21 rejects them or crashes), GIFs
    whose first frame does not fill the canvas, CMYK JPEGs without an Adobe marker, and BMPs with
    run-length encoding or unusual masks.

    Args:
        contents: string tensor `(batch,)`, the contents of the files.
        convert: function, uint8 `(height, width, 3)` -> float32 `(*image_size, channels)`.
        image_size: tuple of ints, `(height, width)`.
        max_pixels: int. Larger images are rejected.
        drop_alpha: bool. Whether to ignore transparency instead of blending with white.
        channels: int. The number of channels that `convert` returns.

    Returns:
        A tuple of the images, float32 `(batch, *image_size, channels)`, zeros for invalid files;
        and error codes, int32 `(batch,)`: 0 for success, 1 for an empty file, 2 for another format,
        3 for more than `max_pixels`, 4 for a damaged file, 5 for an unsupported variant of a
        format.
    """
    import tensorflow as tf

    def load(index, content, code):
        with tf.control_dependencies([tf.debugging.Assert(code == OK, [code])]):
            content = tf.identity(content)
        return index, tf.ensure_shape(convert(_decode(content, drop_alpha)), shape)

    shape = (*image_size, channels)
    count = tf.shape(contents)[0]
    codes = tf.map_fn(
        lambda content: _check_header(content, max_pixels), contents, fn_output_signature="int32"
    )
    # TensorFlow operations cannot catch errors, but a data set can drop elements that raise them.
    # An additional last element ensures that the data set is not empty.
    extra = (tf.reshape(count, (1,)), tf.zeros((1, *shape)))
    loaded = tf.data.Dataset.from_tensor_slices((tf.range(count), contents, codes))
    loaded = loaded.map(load, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    loaded = loaded.concatenate(tf.data.Dataset.from_tensor_slices(extra))
    indices, images = loaded.batch(tf.cast(count, "int64") + 1).get_single_element()
    images = tf.scatter_nd(indices[:, tf.newaxis], images, (count + 1, *shape))[:count]
    decoded = tf.scatter_nd(indices[:, tf.newaxis], tf.ones_like(indices), (count + 1,))[:count]
    codes = tf.where((codes == OK) & (decoded == 0), DAMAGED, codes)
    return images, codes


def _check_header(content, max_pixels):
    """Returns the error code that follows from the header."""
    import tensorflow as tf

    data = ByteTensor(content)
    none, unsupported = tf.constant(-2, "int64"), -1
    branches = [lambda pixels=pixels: pixels(content, data) for _, pixels, _ in _FORMATS]
    pixels = tf.switch_case(_detect_format(data), [*branches, lambda: none])
    code = tf.where(pixels > max_pixels, TOO_LARGE, OK)
    code = tf.where(pixels == unsupported, UNSUPPORTED, code)
    code = tf.where(pixels == none, NOT_AN_IMAGE, code)
    return tf.where(data.size == 0, EMPTY, code)


def _decode(content, drop_alpha):
    import tensorflow as tf

    data = ByteTensor(content)
    branches = [
        lambda decode=decode: decode(content, data, drop_alpha) for _, _, decode in _FORMATS
    ]
    image, exif, xmp = tf.switch_case(_detect_format(data), branches)
    return tf.ensure_shape(apply_orientation(image, read_orientation(exif, xmp)), (None, None, 3))


def _detect_format(data):
    """Returns the index of the file's format in `_FORMATS`, or `len(_FORMATS)` if unknown."""
    import tensorflow as tf

    head = data.at(tf.range(16))
    starts = [
        tf.reduce_all([tf.reduce_all(head[i : i + len(m)] == list(m)) for i, m in magics.items()])
        for magics, _, _ in _FORMATS
    ]
    return tf.argmax(tf.cast(tf.stack([*starts, True]), "int32"), output_type="int32")

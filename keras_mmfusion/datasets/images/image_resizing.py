"""Images to one size by TensorFlow operations, with the pixels that Pillow gives."""

import numpy as np

# Rows (or columns) that one product of matrices makes.
BLOCK = 8
# TensorFlow's own operation is as fast for images that are larger, and takes less memory.
MAX_PIXELS = 2**19


def resize_image_tensor(image, image_size):
    """Stretches an image, uint8 `(height, width, 3)`, to `image_size`, `(height, width)`."""
    import tensorflow as tf

    # An image that has the size stays as it is, which takes half of the time.
    fits = tf.reduce_all(tf.equal(tf.shape(image)[:2], image_size))
    image = tf.cond(fits, lambda: image, lambda: tf.cast(stretch(image, image_size), "uint8"))
    return tf.ensure_shape(image, (*image_size, 3))


def stretch(image, image_size):
    """Resizes bilinearly, with antialiasing, to whole numbers, float32 `(*image_size, 3)`."""
    import tensorflow as tf

    size = tf.shape(image)[:2]
    # Where nothing shrinks, antialiasing changes nothing but the time.
    shrinks = tf.cast(tf.reduce_any(size > image_size), "int32")
    is_large = tf.cast(tf.reduce_prod(size) > MAX_PIXELS, "int32")
    ways = [
        lambda: tf.image.resize(image, image_size),
        lambda: shrink(image, image_size),
        lambda: tf.image.resize(image, image_size, antialias=True),
    ]
    return tf.round(tf.switch_case(shrinks * (1 + is_large), ways))


def shrink(image, image_size):
    """Resizes bilinearly with antialiasing, in less time than `tf.image.resize`.

    A pixel is a mean of those around its place in the image, with weights that fall off linearly
    (Pillow's `BILINEAR`); first along the height, then along the width. A row's weights are 0 but
    for few neighbours, so rows are made in blocks: each is a product of a small matrix with the
    rows that it needs.

    Args:
        image: uint8 tensor `(height, width, 3)`.
        image_size: tuple of ints, `(height, width)`.

    Returns:
        Float32 tensor `(*image_size, 3)`.
    """
    import tensorflow as tf

    height, width, channels = tf.unstack(tf.shape(image))
    new_height, new_width = image_size
    rows = _shrink_rows(tf.reshape(image, (height, width * channels)), height, new_height)
    columns = tf.reshape(tf.transpose(rows), (width, channels * new_height))
    columns = _shrink_rows(columns, width, new_width)
    return tf.transpose(tf.reshape(columns, (new_width, channels, new_height)), (2, 0, 1))


def _shrink_rows(rows, size, count):
    import tensorflow as tf

    neighbors, weights = _neighbors(size, count)
    blocks = weights @ tf.cast(tf.gather(rows, neighbors), "float32")
    return tf.reshape(blocks, (-1, tf.shape(rows)[1]))[:count]


def _neighbors(size, count):
    """The rows that each block of new rows is made of, int32 `(blocks, n)`, and their weights.

    Weights are float32 `(blocks, BLOCK, n)`; those of rows past the last are 0.
    """
    import tensorflow as tf

    scale = tf.cast(size, "float32") / count
    radius = tf.maximum(scale, 1.0)
    # Of a block's first row to its last, and as far again as either looks.
    n = tf.minimum(tf.cast((BLOCK - 1) * scale + 2 * radius, "int32") + 2, size)
    centers = np.arange(0.5, -(-count // BLOCK) * BLOCK, dtype="float32").reshape(-1, BLOCK, 1)
    places = centers * scale - 0.5
    first = tf.cast(places[:, 0] - radius + 1, "int32")
    neighbors = tf.clip_by_value(first, 0, size - n) + tf.range(n)
    distances = tf.abs(tf.cast(neighbors, "float32")[:, tf.newaxis] - places)
    weights = tf.nn.relu(radius - distances)
    return neighbors, tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True))

"""Resizes images by TensorFlow operations, with the same pixels as Pillow."""

import numpy as np

# The number of rows (or columns) per matrix product.
BLOCK = 8
# For larger images, TensorFlow's own operation is as fast and needs less memory.
MAX_PIXELS = 2**19


def resize_image_tensor(image, image_size, extent=None):
    """Resizes an image.

    Args:
        image: uint8 tensor `(height, width, 3)`.
        image_size: tuple of ints, `(height, width)`.
        extent: float32 tensor `(2,)`, the height and width of the part of the image that is
            resized, which may contain only a part of the last row and column. It must be the whole
            image, the default, unless the image shrinks.

    Returns:
        Uint8 tensor `(*image_size, 3)`.
    """
    import tensorflow as tf

    methods = [
        lambda method=method: tf.cast(tf.round(method()), "uint8")
        for method in _list_methods(image, image_size, extent)
    ]
    # Skipping the resizing of images with the requested size saves half of the time.
    is_resized = tf.reduce_all(tf.equal(tf.shape(image)[:2], image_size))
    index = tf.where(is_resized, len(methods), _choose_method(image, image_size))
    resized = tf.switch_case(index, [*methods, lambda: image])
    return tf.ensure_shape(resized, (*image_size, 3))


def stretch(image, image_size):
    """Resizes bilinearly with antialiasing; returns rounded values, float32 `(*image_size, 3)`."""
    import tensorflow as tf

    methods = _list_methods(image, image_size)
    return tf.round(tf.switch_case(_choose_method(image, image_size), methods))


def _choose_method(image, image_size):
    """Returns the index of a function in `_list_methods`."""
    import tensorflow as tf

    size = tf.shape(image)[:2]
    # Antialiasing has no effect unless the image shrinks.
    shrinks = tf.cast(tf.reduce_any(size > image_size), "int32")
    is_large = tf.cast(tf.reduce_prod(size) > MAX_PIXELS, "int32")
    return shrinks * (1 + is_large)


def _list_methods(image, image_size, extent=None):
    """Returns functions that enlarge, shrink, or shrink a large image."""
    import tensorflow as tf

    return [
        lambda: tf.image.resize(image, image_size),
        lambda: shrink(image, image_size, extent),
        lambda: _shrink_large(image, image_size, extent),
    ]


def _shrink_large(image, image_size, extent):
    import tensorflow as tf

    return tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=image_size,
        scale=tf.constant(image_size, "float32") / (_get_size(image) if extent is None else extent),
        translation=(0.0, 0.0),
        kernel_type="triangle",
    )[0]


def _get_size(image):
    import tensorflow as tf

    return tf.cast(tf.shape(image)[:2], "float32")


def shrink(image, image_size, extent=None):
    """Resizes bilinearly with antialiasing, faster than `tf.image.resize`.

    A pixel is a weighted mean of its neighbors in the original image, with linearly decreasing
    weights (Pillow's `BILINEAR`), first along the height, then along the width. Since a row has
    only few neighbors, rows are computed in blocks: each block is the product of a small matrix
    with the neighboring rows.

    Args:
        image: uint8 tensor `(height, width, 3)`.
        image_size: tuple of ints, `(height, width)`.
        extent: float32 tensor `(2,)`, the height and width of the part of the image that is
            resized, which may contain only a part of the last row and column. Defaults to the
            whole image.

    Returns:
        Float32 tensor `(*image_size, 3)`.
    """
    import tensorflow as tf

    extent = _get_size(image) if extent is None else extent
    height, width, channels = tf.unstack(tf.shape(image))
    new_height, new_width = image_size
    rows = _shrink_rows(tf.reshape(image, (height, width * channels)), extent[0], new_height)
    columns = tf.reshape(tf.transpose(rows), (width, channels * new_height))
    columns = _shrink_rows(columns, extent[1], new_width)
    columns = tf.reshape(columns, (new_width * channels, new_height))
    return tf.reshape(tf.transpose(columns), (new_height, new_width, channels))


def _shrink_rows(rows, extent, count):
    import tensorflow as tf

    neighbors, weights = _neighbors(tf.shape(rows)[0], extent, count)
    blocks = weights @ tf.cast(tf.gather(rows, neighbors), "float32")
    return tf.reshape(blocks, (-1, tf.shape(rows)[1]))[:count]


def _neighbors(size, extent, count):
    """Returns the indices and the weights of the rows that contribute to each block of new rows.

    Indices are int32 `(blocks, n)`, weights float32 `(blocks, BLOCK, n)`, 0 for rows after the
    last one.
    """
    import tensorflow as tf

    scale = extent / count
    radius = tf.maximum(scale, 1.0)
    # The distance from the first to the last row of a block, and the radius on both sides.
    n = tf.minimum(tf.cast((BLOCK - 1) * scale + 2 * radius, "int32") + 2, size)
    centers = np.arange(0.5, -(-count // BLOCK) * BLOCK, dtype="float32").reshape(-1, BLOCK, 1)
    positions = centers * scale - 0.5
    first = tf.cast(positions[:, 0] - radius + 1, "int32")
    neighbors = tf.clip_by_value(first, 0, size - n) + tf.range(n)
    distances = tf.abs(tf.cast(neighbors, "float32")[:, tf.newaxis] - positions)
    weights = tf.nn.relu(radius - distances)
    return neighbors, tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True))

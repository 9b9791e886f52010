"""Rows of a table, each with an image file, as a tf.data pipeline."""

import os

import numpy as np

from keras_mmfusion.datasets.load_image_tensor import load_image_tensor


def image_rows(images, columns, image_size, shuffle, seed, cache):
    """The rows with their images decoded, not yet batched.

    Args:
        images: list of strings. The path of each row's image file.
        columns: dict, name -> list or array of a value for each row.
        image_size: tuple of ints, `(height, width)`.
        shuffle: bool. Visit all rows in a new random order each epoch.
        seed: int.
        cache: bool. Keep resized images in memory, each once for rows of it that stand together.

    Returns:
        A `tf.data.Dataset` of dicts: the columns, and `"images"`, uint8 `(height, width, 3)`.
    """
    import tensorflow as tf

    parallel = tf.data.AUTOTUNE
    with tf.device("cpu"):
        paths = tf.constant([os.fsencode(image) for image in images])
        columns = {name: tf.convert_to_tensor(values) for name, values in columns.items()}

    def with_image(row, image):
        return {**{name: values[row] for name, values in columns.items()}, "images": image}

    if shuffle and not cache:
        rows = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed)
        return rows.map(
            lambda row: with_image(row, load_image_tensor(paths[row], image_size)), parallel
        )
    starts = [i for i, image in enumerate(images) if not i or image != images[i - 1]]
    ends = np.array([starts, [*starts[1:], len(images)]], "int64")
    runs = tf.data.Dataset.from_tensor_slices(tuple(ends)).map(
        lambda start, stop: (start, stop, load_image_tensor(paths[start], image_size)), parallel
    )
    if cache:
        runs = runs.cache()
    rows = runs.flat_map(
        lambda start, stop, image: tf.data.Dataset.range(start, stop).map(
            lambda row: with_image(row, image)
        )
    )
    rows = rows.apply(tf.data.experimental.assert_cardinality(len(images)))
    # Rows that wait to be drawn share the memory of their image.
    return rows.shuffle(len(images), seed=seed) if shuffle else rows

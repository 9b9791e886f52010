"""`tf.data` pipeline of table rows with an image each."""

import os

import numpy as np

from keras_mmfusion.datasets.images.load_image_tensor import load_image_tensor


def batch_image_rows(
    images,
    columns,
    batch_size,
    image_size,
    shuffle,
    seed,
    cache,
    drop_alpha=False,
    reduce_jpegs=False,
):
    """Decodes the images of the rows in parallel and batches the rows.

    Args:
        images: list of strings. The path of the image of each row.
        columns: dict, name -> list or array with a value for each row.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        shuffle: bool. Whether to visit the rows in a new random order each epoch.
        seed: int. The seed of the order.
        cache: bool. Whether to keep the resized images in memory; consecutive rows with the same
            image share it.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        reduce_jpegs: bool. Whether large JPEG files are decoded at a smaller size; see
            `load_image_tensor`.

    Returns:
        A `tf.data.Dataset` of dicts: the columns, and `"images"`, uint8 `(batch, height, width,
        3)`.
    """
    import tensorflow as tf

    def load(path):
        return load_image_tensor(path, image_size, drop_alpha, reduce_jpegs)

    parallel = tf.data.AUTOTUNE
    with tf.device("cpu"):
        paths = tf.constant([os.fsencode(image) for image in images])
        columns = {name: tf.convert_to_tensor(values) for name, values in columns.items()}
    if shuffle and not cache:
        rows = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed)
        rows = rows.map(lambda row: (row, load(paths[row])), parallel)
    else:
        rows = _decode_runs(images, paths, load, cache)
        if shuffle:
            rows = rows.shuffle(len(images), seed=seed)

    def add_columns(rows, images):
        return {"images": images, **{name: tf.gather(x, rows) for name, x in columns.items()}}

    return rows.batch(batch_size).map(add_columns)


def _decode_runs(images, paths, load, cache):
    """Returns a data set of row indices and images, each decoded once per run of equal images.

    The rows of a run share the memory of their image, also in a shuffle buffer.
    """
    import tensorflow as tf

    starts = [i for i, image in enumerate(images) if not i or image != images[i - 1]]
    ends = np.array([starts, [*starts[1:], len(images)]], "int64")
    runs = tf.data.Dataset.from_tensor_slices(tuple(ends)).map(
        lambda start, stop: (start, stop, load(paths[start])),
        tf.data.AUTOTUNE,
    )
    if cache:
        runs = runs.cache()
    rows = runs.flat_map(
        lambda start, stop, image: tf.data.Dataset.zip(
            tf.data.Dataset.range(start, stop), tf.data.Dataset.from_tensors(image).repeat()
        )
    )
    return rows.apply(tf.data.experimental.assert_cardinality(len(images)))

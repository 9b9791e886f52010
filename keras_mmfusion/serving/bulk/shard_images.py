"""Reads the images of a shard, in batches that fit into memory."""

import contextlib
import dataclasses
import io
import os
import shutil
import tempfile
import zlib

from PIL import Image

from keras_mmfusion.datasets.images.read_image import MAX_PIXELS
from keras_mmfusion.serving.bulk.shard_plan import is_tfrecords

MAX_IMAGES = 32  # The batch size of an exported captioner.
UNREADABLE = (OSError, EOFError, zlib.error)
IMAGE_FEATURE, NAME_FEATURE = "image/encoded", "image/filename"


@dataclasses.dataclass(frozen=True)
class ShardImage:
    """An image of a shard, or the reason why it cannot be read.

    Attributes:
        name: string: the path of the file; for records the path, `#` and the index.
        content: bytes, or `None` if the image cannot be read.
        filename: string or `None`. The file name in the record.
        error: string or `None`.
    """

    name: str
    content: bytes | None = None
    filename: str | None = None
    error: str | None = None


def read_shard_images(shard):
    """Yields a `ShardImage` for each image of a `Shard`."""
    for path in shard.files:
        if is_tfrecords(path):
            yield from _read_records(path)
        else:
            yield _read_file(path)


def _read_file(path):
    from apache_beam.io.filesystems import FileSystems

    try:
        with FileSystems.open(path) as file:
            return ShardImage(path, file.read())
    except UNREADABLE as error:
        return ShardImage(path, error=f"unreadable: {error}")


def _read_records(path):
    import tensorflow as tf

    index = -1
    try:
        with _open_local(path) as local:
            for index, record in enumerate(tf.data.TFRecordDataset(local).as_numpy_iterator()):
                yield _parse_record(f"{path}#{index}", record)
    except (*UNREADABLE, tf.errors.OpError) as error:
        # Records after a damaged one cannot be read.
        message = str(error).splitlines()[0]
        yield ShardImage(f"{path}#{index + 1}", error=f"unreadable from here on: {message}")


def _parse_record(name, record):
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return ShardImage(name, error="not a tf.train.Example")
    contents = features[IMAGE_FEATURE].bytes_list.value
    names = features[NAME_FEATURE].bytes_list.value
    filename = names[0].decode("utf-8", "replace") if names else None
    if not contents:
        return ShardImage(name, filename=filename, error=f"no feature {IMAGE_FEATURE!r}")
    return ShardImage(name, contents[0], filename)


@contextlib.contextmanager
def _open_local(path):
    """Yields a path that TensorFlow can read: of a copy if the file is remote or compressed."""
    from apache_beam.io.filesystems import FileSystems

    if os.path.isfile(path) and not path.endswith((".gz", ".bz2", ".zst", ".deflate")):
        yield path
        return
    with tempfile.NamedTemporaryFile() as copy:
        with FileSystems.open(path) as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        yield copy.name


def batch_by_pixels(images, max_pixels=MAX_PIXELS, max_images=MAX_IMAGES):
    """Yields lists of images with at most `max_pixels` in total.

    By default, decoding a batch needs no more memory than the largest allowed image.

    Args:
        images: iterable of `ShardImage`.
        max_pixels: int. A larger image is a batch by itself.
        max_images: int.
    """
    batch, total = [], 0
    for image in images:
        size = count_pixels(image.content)
        if batch and (len(batch) == max_images or total + size > max_pixels):
            yield batch
            batch, total = [], 0
        batch.append(image)
        total += size
    if batch:
        yield batch


def count_pixels(content):
    """Returns width times height from the header of an image file; 0 if it cannot be decoded.

    Example:

    >>> count_pixels(b"no image")
    0
    """
    try:
        with Image.open(io.BytesIO(content or b"")) as image:
            count = image.width * image.height
    except Exception:  # Pillow raises many kinds of errors for damaged files.
        return 0
    return count if count <= MAX_PIXELS else 0

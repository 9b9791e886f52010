"""The images of a shard, one after the other, in batches that fit into memory."""

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

MOST_IMAGES = 32  # What an exported captioner works on at once.
UNREADABLE = (OSError, EOFError, zlib.error)
IMAGE_FEATURE, NAME_FEATURE = "image/encoded", "image/filename"


@dataclasses.dataclass(frozen=True)
class ShardImage:
    """An image of a shard, or the reason why there is none.

    Attributes:
        name: string: the file's path; of a record the path, `#` and its number.
        content: bytes, or `None` where it could not be read.
        filename: string or `None`. What the record calls the image.
        error: string or `None`.
    """

    name: str
    content: bytes | None = None
    filename: str | None = None
    error: str | None = None


def shard_images(shard):
    """Yields a `ShardImage` for each image of a `Shard`."""
    for path in shard.files:
        if is_tfrecords(path):
            yield from _records(path)
        else:
            yield _file(path)


def _file(path):
    from apache_beam.io.filesystems import FileSystems

    try:
        with FileSystems.open(path) as file:
            return ShardImage(path, file.read())
    except UNREADABLE as error:
        return ShardImage(path, error=f"unreadable: {error}")


def _records(path):
    import tensorflow as tf

    number = -1
    try:
        with _on_this_machine(path) as local:
            for number, record in enumerate(tf.data.TFRecordDataset(local).as_numpy_iterator()):
                yield _record(f"{path}#{number}", record)
    except (*UNREADABLE, tf.errors.OpError) as error:
        # The records after a damaged one cannot be found.
        message = str(error).splitlines()[0]
        yield ShardImage(f"{path}#{number + 1}", error=f"unreadable from here on: {message}")


def _record(name, record):
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
def _on_this_machine(path):
    """The path of a file that TensorFlow can read: a copy if the file is elsewhere or packed."""
    from apache_beam.io.filesystems import FileSystems

    if os.path.isfile(path) and not path.endswith((".gz", ".bz2", ".zst", ".deflate")):
        yield path
        return
    with tempfile.NamedTemporaryFile() as copy:
        with FileSystems.open(path) as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        yield copy.name


def batches_by_cost(images, most_pixels=MAX_PIXELS, most_images=MOST_IMAGES):
    """Yields lists of images that together have at most `most_pixels`.

    By default, no batch takes more memory to decode than the largest single image that is taken.

    Args:
        images: iterable of `ShardImage`.
        most_pixels: int. An image of more is a batch of its own.
        most_images: int.
    """
    batch, total = [], 0
    for image in images:
        cost = pixels(image.content)
        if batch and (len(batch) == most_images or total + cost > most_pixels):
            yield batch
            batch, total = [], 0
        batch.append(image)
        total += cost
    if batch:
        yield batch


def pixels(content):
    """Width times height by an image file's header; 0 for what will not be decoded.

    Example:

    >>> pixels(b"no image")
    0
    """
    try:
        with Image.open(io.BytesIO(content or b"")) as image:
            count = image.width * image.height
    except Exception:  # On damaged files Pillow raises almost anything.
        return 0
    return count if count <= MAX_PIXELS else 0

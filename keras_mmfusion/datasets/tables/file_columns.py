"""Columns of a table with paths of files, relative to the folder of the table."""

import os
import wave

import numpy as np

from keras_mmfusion.datasets.images.load_image_tensor import load_image_tensor
from keras_mmfusion.datasets.tables.table_columns import Column


class FileColumn(Column):
    """A column of paths. Files are checked with the table and decoded in the pipeline."""

    blank = b""

    def parse(self, cell, folder):
        path = os.path.join(folder, cell) if isinstance(cell, (str, os.PathLike)) else ""
        if not os.path.isfile(path):
            raise ValueError(f"there is no file {cell!r}")
        return os.fsencode(path) if self.has_content(path) else None

    def has_content(self, path):
        """Returns whether the file has content. Raises a `ValueError` if the file is invalid."""
        return True

    def load(self, value, mask):
        import tensorflow as tf

        # A missing modality has one masked token, so that no batch is empty.
        shape = [1 if size is None else size for size in self.shape]
        tensor = tf.cond(mask, lambda: self.decode(value), lambda: tf.zeros(shape, self.dtype))
        return tf.ensure_shape(tensor, self.shape)

    def decode(self, path):
        """Returns the tensor of a file; `path` is a string tensor."""
        raise NotImplementedError


class ImageColumn(FileColumn):
    """Image files, resized to one size: uint8 `(batch, height, width, 3)`.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
        image_size: tuple of ints, `(height, width)`.
    """

    dtype = "uint8"

    def __init__(self, name=None, image_size=(224, 224)):
        super().__init__(name)
        self.image_size = tuple(image_size)
        self.shape = (*self.image_size, 3)

    def decode(self, path):
        return load_image_tensor(path, self.image_size)


class ArrayColumn(FileColumn):
    """Arrays in `.npy` files, such as features: float32 `(batch, *shape)`.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
        shape: tuple. The shape of the array of a sample: `(dim,)` for a vector, or `(None, dim)`
            for a variable number of tokens, which are padded and masked. An array without tokens
            is a missing modality.
    """

    dtype = "float32"

    def __init__(self, name=None, shape=None):
        super().__init__(name)
        if not shape or None in shape[1:]:
            raise ValueError(
                "ArrayColumn: `shape` must be a tuple of ints; only the first may be None. "
                f"Received: {shape!r}"
            )
        self.shape = tuple(shape)

    def has_content(self, path):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path!r} is not a .npy file of numbers: {error}") from error
        if not isinstance(array, np.ndarray):
            array.close()
            raise ValueError(f"{path!r} contains several arrays")
        is_valid = len(array.shape) == len(self.shape) and all(
            expected in (None, size) for expected, size in zip(self.shape, array.shape, strict=True)
        )
        if not is_valid or array.dtype.kind not in "fiub":
            raise ValueError(
                f"{path!r} must have the shape {self.shape} and a numeric dtype, not "
                f"{array.shape} and {array.dtype}"
            )
        return array.size > 0

    def decode(self, path):
        import tensorflow as tf

        def load(name):
            return np.load(os.fsdecode(name), allow_pickle=False).astype("float32")

        return tf.numpy_function(load, [path], "float32", stateful=False)


class AudioColumn(FileColumn):
    """Audio in 16-bit `.wav` files, split into frames, which are tokens.

    The tensor is float32 `(batch, frames, frame_length)`, with values from -1 to 1. Channels are
    averaged, the last frame of a file is padded with zeros, and missing frames are padded and
    masked. A file without samples is a missing modality.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
        sample_rate: int. The required sample rate of all files, in Hz.
        frame_length: int. The number of samples per frame.
    """

    dtype = "float32"

    def __init__(self, name=None, sample_rate=16_000, frame_length=400):
        super().__init__(name)
        self.sample_rate = sample_rate
        self.frame_length = frame_length
        self.shape = (None, frame_length)

    def has_content(self, path):
        try:
            with wave.open(path) as file:
                rate, bits, samples = (
                    file.getframerate(),
                    8 * file.getsampwidth(),
                    file.getnframes(),
                )
        except (wave.Error, EOFError) as error:
            raise ValueError(f"{path!r} is not an uncompressed .wav file: {error}") from error
        if rate != self.sample_rate or bits != 16:
            raise ValueError(
                f"{path!r} must have a sample rate of {self.sample_rate} Hz and 16 bits, not "
                f"{rate} Hz and {bits} bits"
            )
        return samples > 0

    def decode(self, path):
        import tensorflow as tf

        samples, _ = tf.audio.decode_wav(tf.io.read_file(path))
        return tf.signal.frame(
            tf.reduce_mean(samples, axis=1), self.frame_length, self.frame_length, pad_end=True
        )

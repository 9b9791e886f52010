"""Columns of a table whose cells name files, relative to the table's folder."""

import os
import wave

import numpy as np

from keras_mmfusion.datasets.images.load_image_tensor import load_image_tensor
from keras_mmfusion.datasets.tables.table_columns import Column


class FileColumn(Column):
    """A column of paths. Files are looked at when the table is read, and read in the pipeline."""

    blank = b""

    def parse(self, cell, folder):
        path = os.path.join(folder, cell) if isinstance(cell, (str, os.PathLike)) else ""
        if not os.path.isfile(path):
            raise ValueError(f"there is no file {cell!r}")
        return os.fsencode(path) if self.has_content(path) else None

    def has_content(self, path):
        """Whether there is something in the file. Raises a `ValueError` if it is of no use."""
        return True

    def load(self, value, there):
        import tensorflow as tf

        # No batch is without a token: a missing modality has one that is masked.
        shape = [1 if size is None else size for size in self.shape]
        tensor = tf.cond(there, lambda: self.decode(value), lambda: tf.zeros(shape, self.dtype))
        return tf.ensure_shape(tensor, self.shape)

    def decode(self, path):
        """The tensor of a file; `path` is a string tensor."""
        raise NotImplementedError


class ImageColumn(FileColumn):
    """Image files, stretched to one size: uint8 `(batch, height, width, 3)`.

    Args:
        name: string. The column's name in the table; that of the modality by default.
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
        name: string. The column's name in the table; that of the modality by default.
        shape: tuple, of a sample's array: `(dim,)` for a vector; `(None, dim)` for tokens of any
            number, which are padded, with a mask of tokens. No tokens are a missing modality.
    """

    dtype = "float32"

    def __init__(self, name=None, shape=None):
        super().__init__(name)
        if not shape or None in shape[1:]:
            raise ValueError(
                "ArrayColumn: `shape` must be a tuple of ints, of which the first may be None. "
                f"Received: {shape!r}"
            )
        self.shape = tuple(shape)

    def has_content(self, path):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path!r} is no .npy file of numbers: {error}") from error
        if not isinstance(array, np.ndarray):
            array.close()
            raise ValueError(f"{path!r} holds several arrays")
        fits = len(array.shape) == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in "fiub":
            raise ValueError(
                f"{path!r} must be numbers {self.shape}, not {array.dtype} {array.shape}"
            )
        return array.size > 0

    def decode(self, path):
        import tensorflow as tf

        def load(name):
            return np.load(os.fsdecode(name), allow_pickle=False).astype("float32")

        return tf.numpy_function(load, [path], "float32", stateful=False)


class AudioColumn(FileColumn):
    """Sound in 16-bit `.wav` files, cut into frames, which are tokens.

    The tensor is float32 `(batch, frames, frame_length)`. Values are from -1 to 1, several channels
    are averaged, the last frame of a file is filled up with zeros, and files of fewer frames are
    padded, with a mask of frames. A file without samples is a missing modality.

    Args:
        name: string. The column's name in the table; that of the modality by default.
        sample_rate: int. Samples a second, which all files must have.
        frame_length: int. The samples of a frame.
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
            raise ValueError(f"{path!r} is no .wav file of plain samples: {error}") from error
        if rate != self.sample_rate or bits != 16:
            raise ValueError(
                f"{path!r} must have {self.sample_rate} samples a second of 16 bits, not {rate} of "
                f"{bits}"
            )
        return samples > 0

    def decode(self, path):
        import tensorflow as tf

        samples, _ = tf.audio.decode_wav(tf.io.read_file(path))
        return tf.signal.frame(
            tf.reduce_mean(samples, axis=1), self.frame_length, self.frame_length, pad_end=True
        )

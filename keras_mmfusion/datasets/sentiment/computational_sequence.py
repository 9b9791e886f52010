"""Computational sequences: features of videos with time intervals, the format of CMU-MultimodalSDK.

A `.csd` file is an HDF5 file with `<root>/data/<entry>/features` `(rows, dim)`, `.../intervals`
`(rows, 2)` in seconds, and `<root>/metadata/<key>`, each a JSON string. An entry is a video or a
segment of a video: `video[3]`.
"""

import json
import math
import os
import re

import h5py
import numpy as np

SEGMENT = re.compile(r"(.+)\[(\d+)\]", re.DOTALL)


class ComputationalSequence:
    """An open `.csd` file, whose features are read lazily, one video at a time.

    Args:
        path: string or path.

    Raises:
        ValueError: if the file is not a computational sequence.

    Example:

    >>> import h5py, os, tempfile
    >>> from keras_mmfusion.datasets import ComputationalSequence
    >>> path = os.path.join(tempfile.mkdtemp(), "words.csd")
    >>> with h5py.File(path, "w") as file:
    ...     file["words/data/a video/features"] = [[1.0, 2.0], [3.0, 4.0]]
    ...     file["words/data/a video/intervals"] = [[0.0, 0.4], [0.4, 0.9]]
    >>> with ComputationalSequence(path) as words:
    ...     intervals, features = words.read("a video")
    >>> features.shape, intervals.tolist()
    ((2, 2), [[0.0, 0.4], [0.4, 0.9]])

    Reference:
        Zadeh et al., "Multi-attention Recurrent Network for Human Communication Comprehension",
        2018; the format: the README of CMU-MultimodalSDK.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        try:
            self._file = h5py.File(self.path, "r")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ValueError(f"{self.path!r} is not an HDF5 file: {error}") from error
        self.root_name = next(iter(self._file), None)
        data = self._file.get(f"{self.root_name}/data")
        if not isinstance(data, h5py.Group):
            self._file.close()
            raise ValueError(
                f"{self.path!r} is not a computational sequence: it has no group '<root>/data'."
            )
        self._data = data
        self._entries = {}
        for entry in data:
            match = SEGMENT.fullmatch(entry)
            video, row = (match[1], int(match[2])) if match else (entry, -1)
            self._entries.setdefault(video, []).append((row, entry))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def __contains__(self, video):
        return video in self._entries

    @property
    def videos(self):
        """The names of the videos, sorted."""
        return sorted(self._entries)

    @property
    def dim(self):
        """The number of features of the first entry that is not empty; 0 if all are empty."""
        shapes = (getattr(x.get("features"), "shape", ()) for x in self._data.values())
        return next((shape[-1] for shape in shapes if shape and math.prod(shape)), 0)

    @property
    def metadata(self):
        """The metadata of the file: a dict, key -> parsed JSON value."""
        metadata = {}
        for key, value in self._file.get(f"{self.root_name}/metadata", {}).items():
            text = _to_text(np.ravel(value[()])[0])
            try:
                metadata[key] = json.loads(text)
            except ValueError:
                metadata[key] = text
        return metadata

    def read(self, video):
        """Reads all rows of a video, including those of its segments, sorted by start time.

        Args:
            video: string.

        Returns:
            A tuple of the intervals, float64 `(rows, 2)`, and the features, `(rows, dim)` in the
            dtype of the file.
        """
        parts = [part for _, *part in self.read_segments(video)]
        dims = {features.shape[1] for _, features in parts if len(features)}
        if len(dims) > 1:
            raise ValueError(
                f"The segments of {video!r} in {self.path!r} have features of different sizes: "
                f"{sorted(dims)}"
            )
        # Empty entries may lack the feature dimension.
        parts = [part for part in parts if len(part[0])] or parts[:1]
        intervals, features = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.argsort(intervals[:, 0], kind="stable")
        return intervals[order], features[order]

    def read_segments(self, video):
        """Reads the entries of a video separately.

        Args:
            video: string.

        Returns:
            A list of tuples of the number of the segment, -1 for an entry of the whole video, and
            its intervals and features (see `read`), in the order of the file.
        """
        return [(row, *self._read_entry(entry)) for row, entry in sorted(self._entries[video])]

    def _read_entry(self, entry):
        where = f"Entry {entry!r} of {self.path!r}"
        group = self._data[entry]
        for name in ("features", "intervals"):
            if not isinstance(group, h5py.Group) or not isinstance(group.get(name), h5py.Dataset):
                raise ValueError(f"{where} has no {name!r}.")
        try:
            features, intervals = group["features"][()], group["intervals"][()]
        except OSError as error:
            raise ValueError(f"{where} cannot be read: {error}") from error
        # Entries with a single row may lack the first axis, as in the SDK.
        features, intervals = (x[None] if x.ndim == 1 else x for x in (features, intervals))
        if not intervals.size:
            intervals = np.zeros((0, 2))
        if not features.size:
            features = np.zeros((0, features.shape[-1] if features.ndim > 1 else 0), "float32")
        if intervals.ndim != 2 or intervals.shape[1] != 2 or features.ndim != 2:
            raise ValueError(
                f"{where} must have intervals (rows, 2) and features (rows, dim), not "
                f"{intervals.shape} and {features.shape}."
            )
        if len(features) != len(intervals):
            raise ValueError(
                f"{where} has {len(features)} rows of features, but {len(intervals)} intervals."
            )
        return intervals.astype("float64"), features


def read_words(sequence, video):
    """Reads the words of a video without pauses, which are stored as `sp`.

    Args:
        sequence: `ComputationalSequence` of words, such as `CMU_MOSEI_TimestampedWords.csd`.
        video: string.

    Returns:
        A tuple of the intervals, float64 `(words, 2)`, and the words, a list of strings. Bytes
        that are not UTF-8 are decoded as Latin-1.
    """
    intervals, features = sequence.read(video)
    if len(features) and (features.dtype.kind not in "SUO" or features.shape[1] != 1):
        raise ValueError(f"Video {video!r} of {sequence.path!r} must have one word per row.")
    words = [_to_text(word) for word in np.ravel(features)]
    is_word = [word != "sp" for word in words]
    return intervals[np.array(is_word, "bool")], [word for word in words if word != "sp"]


def _to_text(value):
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin1")

"""CMU-MOSI: sentiment of utterances in videos, with one feature vector per modality."""

import dataclasses
import os
import zipfile
import zlib

import numpy as np

from keras_mmfusion._short_repr import short_repr

MODALITIES = ("text", "audio", "video")
NEEDED = (*MODALITIES, "label", "video_id", "utterance_id")


@dataclasses.dataclass(frozen=True, repr=False)
class SentimentUtterances:
    """Utterances of videos, in chronological order.

    Args:
        features: dict, modality -> float32 array `(utterances, dim)`.
        labels: int array `(utterances,)`: 0 negative, 1 positive.
        video_ids: string array `(utterances,)`. The utterances of a video are consecutive.
        utterance_ids: string array `(utterances,)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import SentimentUtterances
    >>> data = SentimentUtterances(
    ...     features={"text": np.ones((3, 4), "float32")},
    ...     labels=np.array([0, 1, 1]),
    ...     video_ids=np.array(["a", "a", "b"]),
    ...     utterance_ids=np.array(["a_1", "a_2", "b_1"]),
    ... )
    >>> features, labels, mask = data.group_by_video()
    >>> features["text"].shape, mask.tolist()
    ((2, 2, 4), [[True, True], [True, False]])
    """

    features: dict
    labels: np.ndarray
    video_ids: np.ndarray
    utterance_ids: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        dims = {name: values.shape[1] for name, values in self.features.items()}
        videos = len(np.unique(self.video_ids))
        return short_repr(self, utterances=len(self), videos=videos, dims=dims)

    def select(self, utterances):
        """Selects utterances.

        Args:
            utterances: bool array `(utterances,)`.

        Returns:
            `SentimentUtterances`.
        """
        return SentimentUtterances(
            features={name: values[utterances] for name, values in self.features.items()},
            labels=self.labels[utterances],
            video_ids=self.video_ids[utterances],
            utterance_ids=self.utterance_ids[utterances],
        )

    def group_by_video(self):
        """Groups the utterances by video and pads them with zeros to the longest video.

        Returns:
            Tuple of a dict, modality -> `(videos, utterances, dim)`; the labels, `(videos,
            utterances)`; and the mask, bool `(videos, utterances)`, `False` for padding.
        """
        rows, columns = self._index_utterances()
        shape = (rows.max() + 1, columns.max() + 1)

        def pad(values):
            padded = np.zeros((*shape, *values.shape[1:]), values.dtype)
            padded[rows, columns] = values
            return padded

        features = {name: pad(values) for name, values in self.features.items()}
        return features, pad(self.labels), pad(np.ones(len(self), "bool"))

    def _index_utterances(self):
        """Returns the index of the video and the position in the video of each utterance."""
        starts = np.r_[True, self.video_ids[1:] != self.video_ids[:-1]]
        rows = np.cumsum(starts) - 1
        return rows, np.arange(len(self)) - np.flatnonzero(starts)[rows]

    def assign_folds(self, count, seed=0):
        """Assigns whole videos to the folds of a cross-validation.

        Args:
            count: int. The number of folds.
            seed: int.

        Returns:
            Int array `(utterances,)`. The fold in which each utterance is held out.
        """
        videos, indices = np.unique(self.video_ids, return_inverse=True)
        if not 2 <= count <= len(videos):
            raise ValueError(
                f"`count` must be from 2 to the number of videos, {len(videos)}. Received: {count}"
            )
        order = np.random.default_rng(seed).permutation(len(videos))
        return (np.argsort(order) % count)[indices]


def read_cmu_mosi(path):
    """Reads features of CMU-MOSI, a vector for each utterance and modality.

    Args:
        path: string or path of a `.npz` file with the arrays `text`, `audio` and `video`, float
            `(utterances, dim)`; `label`, int: 0 negative, 1 positive; `video_id`; and
            `utterance_id`, strings that end in `_` and the number of the utterance in the video.

    Returns:
        `SentimentUtterances`, sorted by video and number.

    Raises:
        ValueError: if the file is not a `.npz` file, or an array is missing or has an invalid
            type, shape, length or value; the message names the file and the array.

    Reference:
        Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and Subjectivity Analysis in
        Online Opinion Videos", 2016; the features: Poria et al., "Context-Dependent Sentiment
        Analysis in User-Generated Videos", 2017.
    """
    arrays = _read_arrays(os.fspath(path))
    numbers = [int(name.rpartition("_")[2]) for name in arrays["utterance_id"].tolist()]
    order = np.lexsort((numbers, arrays["video_id"]))
    return SentimentUtterances(
        features={name: arrays[name][order].astype("float32") for name in MODALITIES},
        labels=arrays["label"][order].astype("int64"),
        video_ids=arrays["video_id"][order],
        utterance_ids=arrays["utterance_id"][order],
    )


def _read_arrays(path):
    """Reads and checks the arrays of the file."""
    arrays = {}
    with open(path, "rb") as stream:
        try:
            file = np.load(stream, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path!r} is not a valid .npz file: {error}") from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError(f"{path!r} contains a single array; it must be a .npz file.")
        for name in NEEDED:
            if name not in file.files:
                raise ValueError(f"{path!r} has no array {name!r}; it needs {', '.join(NEEDED)}.")
            try:
                arrays[name] = file[name]
            except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(
                    f"Array {name!r} of {path!r} cannot be read: {error} Pickled objects are "
                    "never loaded."
                ) from error
    for name, array in arrays.items():
        problem = _find_problem(name, array)
        if problem:
            raise ValueError(f"Array {name!r} of {path!r} {problem}.")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The arrays of {path!r} have different lengths: {lengths}")
    if not lengths["label"]:
        raise ValueError(f"The arrays of {path!r} are empty; there must be an utterance.")
    return arrays


def _find_problem(name, array):
    """Describes the problem of an invalid array, as the end of a sentence, or returns `None`."""
    if name in MODALITIES:
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
            return f"must be floats (utterances, dim), not {array.dtype} {array.shape}"
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            return f"has NaN or infinity, first in row {bad[0][0]}, column {bad[0][1]}"
    elif name == "label":
        if array.ndim != 1 or not np.isin(array, (0, 1)).all():
            return "must be 0 (negative) or 1 (positive) for each utterance"
    elif array.ndim != 1 or array.dtype.kind != "U":
        return f"must have a string for each utterance, not {array.dtype} {array.shape}"
    elif name == "utterance_id":
        for value in array.tolist():
            if not value.rpartition("_")[2].isdecimal():
                return f"must have strings that end in '_' and a number, not {value!r}"
    return None

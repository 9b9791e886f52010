"""Segments of videos as token sequences of several modalities, with sentiment labels."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.string_lists import check_strings

EMOTIONS = ("happiness", "sadness", "anger", "surprise", "disgust", "fear")


@dataclasses.dataclass(frozen=True, repr=False)
class SentimentSequences:
    """Segments of videos as token sequences of several modalities, with their sentiment.

    Args:
        tokens: dict, modality -> list of float32 arrays `(tokens, dim)`, one for each segment. A
            missing modality is an array without tokens.
        masks: dict, modality -> list of bool arrays `(tokens,)`. `False` for a token without
            features, such as the audio of a word without frames.
        labels: float32 array `(segments,)`. The sentiment from -3 (negative) to 3 (positive).
        segment_ids: string array `(segments,)`.
        video_ids: string array `(segments,)`.
        texts: string array `(segments,)`. The transcripts, `""` if unknown.
        emotions: float32 array `(segments, 6)`. The intensity of happiness, sadness, anger,
            surprise, disgust and fear, from 0 to 3, as in CMU-MOSEI; `None` if unknown.

    Raises:
        ValueError: if lengths differ.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import SentimentSequences
    >>> words, frames = [np.ones((3, 4), "float32")] * 3, [np.ones((9, 2), "float32")] * 3
    >>> data = SentimentSequences(
    ...     tokens={"text": words, "audio": frames},
    ...     masks={"text": [np.ones(3, "bool")] * 3, "audio": [np.ones(9, "bool")] * 3},
    ...     labels=np.array([-1.4, 0.0, 2.6], "float32"),
    ...     segment_ids=np.array(["a[0]", "a[1]", "b[0]"]),
    ...     video_ids=np.array(["a", "a", "b"]),
    ...     texts=np.array(["", "", ""]),
    ... )
    >>> data.seven_classes.tolist(), data.two_classes.tolist()
    ([2, 3, 6], [0, 1, 1])
    >>> data.drop_neutral().two_classes.tolist()
    [0, 1]
    >>> len(data.select_videos(["a"]))
    2
    """

    tokens: dict
    masks: dict
    labels: np.ndarray
    segment_ids: np.ndarray
    video_ids: np.ndarray
    texts: np.ndarray
    emotions: np.ndarray = None

    def __post_init__(self):
        for name, values in self.tokens.items():
            masks = self.masks.get(name, ())
            if [len(x) for x in values] != [len(x) for x in masks] or len(values) != len(self):
                raise ValueError(
                    f"Modality {name!r} must have tokens for each of the {len(self)} segments and "
                    f"a mask for each token. Received: {len(values)} and {len(masks)} arrays"
                )

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        videos, modalities = len(np.unique(self.video_ids)), list(self.tokens)
        return short_repr(self, segments=len(self), videos=videos, modalities=modalities)

    @property
    def modalities(self):
        """The names of the modalities."""
        return tuple(self.tokens)

    @property
    def seven_classes(self):
        """The rounded labels as classes, int array, 0 for -3 to 6 for 3; see `accuracy_7`."""
        return np.clip(np.round(self.labels), -3, 3).astype("int64") + 3

    @property
    def two_classes(self):
        """Int array, 1 if the label is not negative: Has0, or Non0 after `drop_neutral()`."""
        return (self.labels >= 0).astype("int64")

    @property
    def binary_emotions(self):
        """Int array `(segments, 6)`, 1 for each of `EMOTIONS` with a positive intensity."""
        if self.emotions is None:
            raise ValueError("The emotions of these segments are unknown.")
        return (self.emotions > 0).astype("int64")

    @property
    def complete(self):
        """Bool array, `True` for segments without missing modalities; the SDK drops the others."""
        masks = [[mask.any() for mask in self.masks[name]] for name in self.tokens]
        return np.array(masks, "bool").reshape(len(masks), len(self)).all(axis=0)

    def drop_neutral(self):
        """Selects the segments whose label is not 0, for negative versus positive.

        Returns:
            `SentimentSequences`.
        """
        return self.select(self.labels != 0)

    def select_videos(self, video_ids):
        """Selects the segments of some videos, such as those of a fold.

        Args:
            video_ids: collection of strings.

        Returns:
            `SentimentSequences`.
        """
        check_strings("video_ids", video_ids)
        return self.select(np.isin(self.video_ids, list(video_ids)))

    def select(self, segments):
        """Selects segments.

        Args:
            segments: bool array `(segments,)`.

        Returns:
            `SentimentSequences`.
        """
        kept = np.flatnonzero(segments)
        return SentimentSequences(
            tokens={name: [x[i] for i in kept] for name, x in self.tokens.items()},
            masks={name: [x[i] for i in kept] for name, x in self.masks.items()},
            labels=self.labels[kept],
            segment_ids=self.segment_ids[kept],
            video_ids=self.video_ids[kept],
            texts=self.texts[kept],
            emotions=None if self.emotions is None else self.emotions[kept],
        )

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.string_lists import check_strings

EMOTIONS = ("happiness", "sadness", "anger", "surprise", "disgust", "fear")


@dataclasses.dataclass(frozen=True, repr=False)
class SentimentSequences:
    """Segments of videos as tokens of several modalities, of any number, and their sentiment.

    Args:
        tokens: dict, modality -> list of float32 arrays `(tokens, dim)`, one of each segment. A
            segment that is without a modality has an array of no tokens.
        masks: dict, modality -> list of bool arrays `(tokens,)`: `False` for a token that holds
            nothing, such as the audio of a word of which nothing was heard.
        labels: float32 array `(segments,)`: sentiment from -3, negative, to 3, positive.
        segment_ids: string array `(segments,)`.
        video_ids: string array `(segments,)`.
        texts: string array `(segments,)`: what was said, `""` where it is not known.
        emotions: float32 array `(segments, 6)`: how much happiness, sadness, anger, surprise,
            disgust and fear there is, from 0 to 3, as CMU-MOSEI has them; `None` if not known.

    Raises:
        ValueError: if lengths do not fit.

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
    >>> data.without_neutral().two_classes.tolist()
    [0, 1]
    >>> len(data.of_videos(["a"]))
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
                    f"Modality {name!r} must have tokens of each of the {len(self)} segments and a "
                    f"mask of each token. Received: {len(values)} and {len(masks)} arrays"
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
        """The labels rounded: int array, 0 for -3 to 6 for 3, as `accuracy_7` counts them."""
        return np.clip(np.round(self.labels), -3, 3).astype("int64") + 3

    @property
    def two_classes(self):
        """Int array, 1 where the label is not negative: Has0; of `without_neutral()`, Non0."""
        return (self.labels >= 0).astype("int64")

    @property
    def present_emotions(self):
        """Int array `(segments, 6)`, 1 for each of `EMOTIONS` that is there at all."""
        if self.emotions is None:
            raise ValueError("The emotions of these segments are not known.")
        return (self.emotions > 0).astype("int64")

    @property
    def complete(self):
        """Bool array, `True` for a segment with every modality, as the SDK keeps them alone."""
        there = [[mask.any() for mask in self.masks[name]] for name in self.tokens]
        return np.array(there, "bool").reshape(len(there), len(self)).all(axis=0)

    def without_neutral(self):
        """The segments whose label is not 0, so that two classes are negative and positive.

        Returns:
            `SentimentSequences`.
        """
        return self.take(self.labels != 0)

    def of_videos(self, video_ids):
        """The segments of some videos, such as a fold's.

        Args:
            video_ids: collection of strings.

        Returns:
            `SentimentSequences`.
        """
        check_strings("video_ids", video_ids)
        return self.take(np.isin(self.video_ids, list(video_ids)))

    def take(self, segments):
        """Some of the segments.

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

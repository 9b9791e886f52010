"""Segments of videos that have a label, cut out of computational sequences."""

import contextlib

import numpy as np

from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.datasets.sentiment.align_frames import align_to_words, finite_tokens, overlaps
from keras_mmfusion.datasets.sentiment.computational_sequence import (
    ComputationalSequence,
    read_words,
)
from keras_mmfusion.datasets.sentiment.sentiment_sequences import EMOTIONS, SentimentSequences


def read_computational_sequences(files, labels, words=None, video_ids=None, align_to="text"):
    """Reads segments of videos from the `.csd` files of the CMU-Multimodal SDK.

    A row of `labels` is a segment; its tokens are those whose times overlap it. With `align_to`,
    those of the other modalities are averages over that modality's tokens, as `align_to_words`
    makes them, and those of which there is nothing are masked, where the SDK puts zeros or drops
    them. Pauses are tokens only if `align_to`'s file has them, such as the SDK's
    `..._TimestampedGloveVectors_with_SP.csd`.

    A segment may be without a modality; `SentimentSequences.complete` says which are, and those
    without any token at all are left out. NaN and infinity become 0.

    Args:
        files: dict, modality -> string or path.
        labels: string or path. The first feature of a row is its sentiment, from -3 to 3; six
            more, if there are, its emotions, from 0 to 3.
        words: string or path of the words themselves, or `None`. Texts are those without pauses.
        video_ids: collection of strings. Which videos to read; all of `labels` by default.
        align_to: string, the modality whose tokens the others are aligned to; or `None`: each
            keeps its own frames.

    Returns:
        `SentimentSequences`. A segment's name is the video's and the number of its row, from 0, as
        in the SDK: `"video[3]"`.

    Raises:
        ValueError: if a file or an entry of it is not as it must be, or a label is no number in
            [-3, 3] or an emotion none in [0, 3]; the message names both. If a video of
            `video_ids` is in no file.
    """
    if align_to is not None and align_to not in files:
        raise ValueError(
            f"`align_to` must be one of {', '.join(map(repr, files))}, or `None`. "
            f"Received: {align_to!r}"
        )
    if video_ids is not None:
        video_ids = list(video_ids) if not isinstance(video_ids, str) else video_ids
        check_strings("video_ids", video_ids)
    with contextlib.ExitStack() as stack:
        sequences = {
            name: stack.enter_context(ComputationalSequence(path)) for name, path in files.items()
        }
        dims = {name: sequence.dim for name, sequence in sequences.items()}
        labels = stack.enter_context(ComputationalSequence(labels))
        words = None if words is None else stack.enter_context(ComputationalSequence(words))
        chosen = labels.videos if video_ids is None else sorted(set(video_ids) & set(labels.videos))
        if not chosen:
            raise ValueError(f"None of the videos of `video_ids` is in {labels.path!r}.")
        segments = [
            segment
            for video in chosen
            for segment in _read_video(video, sequences, labels, words, align_to)
        ]
    if not segments:
        raise ValueError(f"No segment of {labels.path!r} has a token in any of the modalities.")
    for name in files:
        for segment in segments:
            features, _ = segment["tokens"][name]
            if len(features) and features.shape[1] != dims[name]:
                raise ValueError(
                    f"Entry {segment['video']!r} of {str(files[name])!r} has "
                    f"{features.shape[1]} features; the first one has {dims[name]}."
                )
    return SentimentSequences(
        tokens={
            name: [s["tokens"][name][0].reshape(-1, dims[name]) for s in segments] for name in files
        },
        masks={name: [s["tokens"][name][1] for s in segments] for name in files},
        labels=np.array([segment["label"] for segment in segments], "float32"),
        segment_ids=np.array([segment["id"] for segment in segments]),
        video_ids=np.array([segment["video"] for segment in segments]),
        texts=np.array([segment["text"] for segment in segments]),
        emotions=_emotions(segments),
    )


def _emotions(segments):
    """The emotions of all segments; `None` if some have none."""
    emotions = [segment["emotions"] for segment in segments]
    known = all(len(values) == len(EMOTIONS) for values in emotions)
    return np.array(emotions, "float32") if known else None


def _read_video(video, sequences, labels, words, align_to):
    """The segments of a video that have a token, as dicts."""
    rows = {
        name: _read_numbers(sequence, video)
        for name, sequence in sequences.items()
        if video in sequence
    }
    spoken = read_words(words, video) if words is not None and video in words else None
    for segment_id, times, label, emotions in _read_labels(labels, video):
        inside = {name: _within(times, row) for name, row in rows.items()}
        tokens = {}
        for name in sequences:
            if name not in rows:
                tokens[name] = np.zeros((0, sequences[name].dim), "float32"), np.zeros(0, "bool")
            elif align_to in (None, name):
                tokens[name] = finite_tokens(inside[name][1])
            else:
                # Frames are weighed over whole words, which may reach beyond the segment.
                targets = inside[align_to][0] if align_to in rows else np.zeros((0, 2))
                span = np.array([targets.min(), targets.max()]) if len(targets) else times
                tokens[name] = align_to_words(targets, *_within(span, rows[name]))
        for name, (values, mask) in tokens.items():
            if not mask.any():
                tokens[name] = values[:0], mask[:0]
        if not any(len(values) for values, _ in tokens.values()):
            continue
        text = ""
        if spoken is not None:
            found = np.flatnonzero(overlaps(times[None], spoken[0])[0])
            text = " ".join(spoken[1][index] for index in found)
        yield {
            "id": segment_id,
            "video": video,
            "label": label,
            "emotions": emotions,
            "tokens": tokens,
            "text": text,
        }


def _within(times, rows):
    """The intervals and features that overlap a time."""
    inside = overlaps(times[None], rows[0])[0] > 0
    return rows[0][inside], rows[1][inside]


def _read_numbers(sequence, video):
    intervals, features = sequence.read(video)
    if len(features) and features.dtype.kind not in "fiu":
        raise ValueError(
            f"Video {video!r} of {sequence.path!r} must have numbers, not {features.dtype}."
        )
    return intervals, features


def _read_labels(labels, video):
    """The name, times, sentiment and emotions of each segment of a video."""
    for number, intervals, features in labels.read_segments(video):
        for row, (times, values) in enumerate(zip(intervals, features, strict=True)):
            segment_id = f"{video}[{row if number < 0 else number}]"
            if values.dtype.kind not in "fiu" or not -3 <= values[0] <= 3:
                raise ValueError(
                    f"Segment {segment_id!r} of {labels.path!r} must have a sentiment from -3 to "
                    f"3. Received: {values[0]!r}"
                )
            emotions = values[1:]
            if len(emotions) == len(EMOTIONS) and not ((emotions >= 0) & (emotions <= 3)).all():
                raise ValueError(
                    f"Segment {segment_id!r} of {labels.path!r} must have emotions from 0 to 3. "
                    f"Received: {emotions.tolist()}"
                )
            yield segment_id, times, float(values[0]), emotions

"""Extracts labeled segments of videos from computational sequences."""

import contextlib

import numpy as np

from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.datasets.sentiment.computational_sequence import (
    ComputationalSequence,
    read_words,
)
from keras_mmfusion.datasets.sentiment.frame_alignment import (
    align_to_words,
    compute_overlaps,
    replace_nonfinite,
)
from keras_mmfusion.datasets.sentiment.sentiment_sequences import EMOTIONS, SentimentSequences


def read_computational_sequences(files, labels, words=None, video_ids=None, align_to="text"):
    """Reads labeled segments of videos from the `.csd` files of CMU-MultimodalSDK.

    Each row of `labels` is a segment, whose tokens are those that overlap it in time. With
    `align_to`, the other modalities are averaged over the tokens of that modality; see
    `align_to_words`. Tokens without overlapping frames are masked, while the SDK fills them with
    zeros or drops them. Pauses are tokens only if the file of `align_to` contains them, such as
    the SDK's `..._TimestampedGloveVectors_with_SP.csd`.

    Modalities of a segment can be missing; see `SentimentSequences.complete`. Segments without any
    token are dropped. NaN and infinite values are replaced by 0.

    Args:
        files: dict, modality -> string or path.
        labels: string or path. The first feature of a row is the sentiment, from -3 to 3; the
            other six, if present, are the emotions, from 0 to 3.
        words: string or path of the file with the words, or `None`. Pauses are removed from the
            transcripts.
        video_ids: collection of strings. The videos to read. Defaults to all videos in `labels`.
        align_to: string. The modality to align the others to, or `None` to keep all frames.

    Returns:
        `SentimentSequences`. The id of a segment consists of the video and the index of the row,
        as in the SDK: `"video[3]"`.

    Raises:
        ValueError: if a file or an entry is invalid, a sentiment is not in [-3, 3] or an emotion
            not in [0, 3]; the message names the file and the entry. Also if none of `video_ids`
            is in `labels`.
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
        emotions=_stack_emotions(segments),
    )


def _stack_emotions(segments):
    """Returns the emotions of all segments, or `None` if they are missing for some."""
    emotions = [segment["emotions"] for segment in segments]
    are_known = all(len(values) == len(EMOTIONS) for values in emotions)
    return np.array(emotions, "float32") if are_known else None


def _read_video(video, sequences, labels, words, align_to):
    """Yields the segments of a video that have tokens, as dicts."""
    rows = {
        name: _read_numbers(sequence, video)
        for name, sequence in sequences.items()
        if video in sequence
    }
    spoken = read_words(words, video) if words is not None and video in words else None
    for segment_id, times, label, emotions in _read_labels(labels, video):
        inside = {name: _select_overlapping(times, row) for name, row in rows.items()}
        tokens = {}
        for name in sequences:
            if name not in rows:
                tokens[name] = np.zeros((0, sequences[name].dim), "float32"), np.zeros(0, "bool")
            elif align_to in (None, name):
                tokens[name] = replace_nonfinite(inside[name][1])
            else:
                # Frames are averaged over whole words, which can extend beyond the segment.
                targets = inside[align_to][0] if align_to in rows else np.zeros((0, 2))
                span = np.array([targets.min(), targets.max()]) if len(targets) else times
                tokens[name] = align_to_words(targets, *_select_overlapping(span, rows[name]))
        for name, (values, mask) in tokens.items():
            if not mask.any():
                tokens[name] = values[:0], mask[:0]
        if not any(len(values) for values, _ in tokens.values()):
            continue
        text = ""
        if spoken is not None:
            indices = np.flatnonzero(compute_overlaps(times[None], spoken[0])[0])
            text = " ".join(spoken[1][index] for index in indices)
        yield {
            "id": segment_id,
            "video": video,
            "label": label,
            "emotions": emotions,
            "tokens": tokens,
            "text": text,
        }


def _select_overlapping(times, rows):
    """Returns the intervals and features of the rows that overlap an interval."""
    inside = compute_overlaps(times[None], rows[0])[0] > 0
    return rows[0][inside], rows[1][inside]


def _read_numbers(sequence, video):
    intervals, features = sequence.read(video)
    if len(features) and features.dtype.kind not in "fiu":
        raise ValueError(
            f"Video {video!r} of {sequence.path!r} must have numbers, not {features.dtype}."
        )
    return intervals, features


def _read_labels(labels, video):
    """Yields the id, interval, sentiment and emotions of each segment of a video."""
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

"""Writes small files in the formats of CMU-MOSEI: computational sequences, and MMSA's splits."""

import json

import h5py
import numpy as np

WORDS = [b"sp", b"so", b"na\xefve", "größer".encode(), b"sp", b"bad", b"really", b"good"]
WORD_TIMES = np.array([(0.5 * i, 0.5 * (i + 1)) for i in range(8)])


def write_sequence(path, root, entries):
    """Writes a dict, entry -> (intervals, features), in the format of the SDK."""
    with h5py.File(path, "w") as file:
        for entry, (intervals, features) in entries.items():
            group = file.create_group(f"{root}/data/{entry}")
            group.create_dataset("features", data=features, compression="gzip")
            group.create_dataset("intervals", data=intervals, compression="gzip")
        for key, value in {"root name": root, "dimension names": ["a", "b"]}.items():
            dtype = h5py.special_dtype(vlen=str)
            file.create_dataset(f"{root}/metadata/{key}", (1,), dtype=dtype)[0] = json.dumps(value)
    return path


def small_videos():
    """Returns two videos. `b` has no audio, and its second segment is silent.

    The audio of `a` has a dimension with logarithms of 0, a frame of NaN, and no frame for the
    last word. Its frames are in random order.
    """
    rng = np.random.default_rng(0)
    spoken = np.array([word != b"sp" for word in WORDS])
    frame_times = np.array([(0.15 * i, 0.15 * (i + 1)) for i in range(23)])
    audio = rng.normal(size=(23, 3))
    audio[4:8, 1], audio[10] = -np.inf, np.nan
    video = rng.normal(size=(9, 2)).astype("float32")
    video_times = np.array([(0.5 * i, 0.5 * i + 0.4) for i in range(9)])
    labels = np.array([[-1.5, 0, 0, 1, 0, 0, 0], [2 + 2 / 3, 2, 0, 0, 0, 0, 0]], "float32")
    text = rng.normal(size=(spoken.sum(), 4)).astype("float32")
    order = rng.permutation(23)
    words = np.array(WORDS)[:, None]
    return {
        "words": {"a_[x": (WORD_TIMES, words), "b": (WORD_TIMES[:4], words[:4])},
        "text": {
            "a_[x": (WORD_TIMES[spoken], text),
            "b": (WORD_TIMES[1:4], text[:3] + 1),
            "without labels": (WORD_TIMES[:1], text[:1]),
        },
        "audio": {"a_[x": (frame_times[order], audio[order])},
        "video": {"a_[x": (video_times, video), "b": (np.zeros((0, 2)), np.zeros((0, 2)))},
        "labels": {
            "a_[x": (np.array([[0.3, 1.7], [2.4, 9.0]]), labels),
            "b": (np.array([[0.0, 2.0], [7.0, 8.0]]), np.zeros((2, 7), "float32")),
        },
    }


FILES = {
    "words": "CMU_MOSEI_TimestampedWords",
    "text": "CMU_MOSEI_TimestampedWordVectors",
    "audio": "CMU_MOSEI_COVAREP",
    "video": "CMU_MOSEI_VisualFacet42",
    "labels": "CMU_MOSEI_Labels",
}


def write_mosei(folder):
    for name, entries in small_videos().items():
        write_sequence(folder / f"{FILES[name]}.csd", name, entries)
    return folder


def mmsa_split(segments=4, aligned=True, seed=0):
    """Returns a split of MMSA with padding, a segment without audio, and -inf in the audio."""
    rng = np.random.default_rng(seed)
    sizes = {"text": np.array([3, 6, 2, 5])[:segments]}
    sizes |= {name: sizes["text"] if aligned else 2 * sizes["text"] for name in ("audio", "vision")}
    tokens = {"text": 6, "audio": 6 if aligned else 12, "vision": 6 if aligned else 12}
    arrays = {
        name: np.where(
            np.arange(tokens[name])[:, None] < sizes[name][:, None, None],
            rng.normal(size=(segments, tokens[name], dim)),
            0,
        ).astype("float32")
        for name, dim in (("text", 4), ("audio", 3), ("vision", 2))
    }
    arrays["audio"][2:3] = 0
    arrays["audio"][1, 0, 1] = -np.inf
    mask = (np.arange(6) < sizes["text"][:, None]).astype("float32")
    split = {
        "raw_text": np.array(["so bad", "größer", "", "good"][:segments]),
        **arrays,
        "id": [f"video {i // 2}$_${i}" for i in range(segments)],
        "text_bert": np.stack([100 * mask, mask, 0 * mask], axis=1),
        "annotations": np.array(["Negative", "Positive", "Neutral", "Positive"][:segments]),
        "classification_labels": np.arange(segments) % 3,
        "regression_labels": np.array([-2.4, 1.0, 0.0, 0.4])[:segments],
    }
    if not aligned:
        split["audio_lengths"] = sizes["audio"].tolist()
        split["vision_lengths"] = sizes["vision"].tolist()
    return split

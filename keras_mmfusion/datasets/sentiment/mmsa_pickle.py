"""CMU-MOSI and CMU-MOSEI as MMSA publishes them: pickles of padded arrays."""

import numpy as np

from keras_mmfusion.datasets.io.array_unpickler import read_array_pickle
from keras_mmfusion.datasets.sentiment.align_frames import finite_tokens
from keras_mmfusion.datasets.sentiment.sentiment_sequences import SentimentSequences

# Name here -> name there.
MODALITIES = {"text": "text", "audio": "audio", "video": "vision"}


def read_mmsa(path):
    """Reads a file of MMSA, such as `aligned_50.pkl` or `unaligned_50.pkl`. Nothing of it is run.

    It is a dict of the splits, each a dict of `text`, `audio` and `vision`, float `(segments,
    tokens, dim)`; `regression_labels`; `id`, strings `video$_$clip`; `raw_text`; perhaps
    `text_bert`, int `(segments, 3, tokens)`, whose second row is the text's mask; and, if audio
    and video keep their own frames, `audio_lengths` and `vision_lengths`.

    The padding is cut off: behind the text's mask and the lengths, or where only zeros follow.
    Tokens of an aligned file that are all zeros are masked, as they are without a frame. NaN and
    infinity become 0.

    Args:
        path: string or path. The files are linked from github.com/thuiar/MMSA.

    Returns:
        A dict, split such as `"train"`, `"valid"` or `"test"` -> `SentimentSequences` of
        `"text"`, `"audio"` and `"video"`. Arrays may be read only.

    Raises:
        ValueError: if the file is no pickle of arrays, names a function, or if something is
            missing or has another type or shape; the message names the split and the entry.

    Reference:
        Mao et al., "M-SENA: An Integrated Platform for Multimodal Sentiment Analysis", 2022.
    """
    content = read_array_pickle(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} must have a dict of splits, such as 'train' and 'test'.")
    return {split: _Split(path, split, content[split]).sequences() for split in content}


class _Split:
    """One split, where errors say which."""

    def __init__(self, path, name, entries):
        self.where = f"split {name!r} of {path}"
        if not isinstance(entries, dict):
            raise ValueError(f"The {self.where} must be a dict.")
        self.entries = entries
        self.segment_ids = self._strings("id")

    def sequences(self):
        labels = self._numbers("regression_labels").reshape(-1)
        bad = np.flatnonzero(~((labels >= -3) & (labels <= 3)))
        if len(labels) != len(self.segment_ids) or len(bad):
            raise ValueError(
                f"'regression_labels' of the {self.where} must be a sentiment from -3 to 3 of each "
                f"of the {len(self.segment_ids)} segments. Received: {len(labels)}"
                + "".join(f", the one of {self.segment_ids[i]!r}: {labels[i]}" for i in bad[:1])
            )
        tokens, masks = {}, {}
        for name, key in MODALITIES.items():
            tokens[name], masks[name] = self._tokens(key)
        texts = self._strings("raw_text") if "raw_text" in self.entries else None
        return SentimentSequences(
            tokens=tokens,
            masks=masks,
            labels=labels.astype("float32"),
            segment_ids=self.segment_ids,
            video_ids=np.array([name.partition("$_$")[0] for name in self.segment_ids.tolist()]),
            texts=np.full(len(labels), "") if texts is None else texts,
        )

    def _tokens(self, key):
        """A modality's tokens without their padding, and their masks."""
        padded = self._numbers(key)
        if padded.ndim != 3 or len(padded) != len(self.segment_ids):
            raise ValueError(
                f"{key!r} of the {self.where} must be numbers ({len(self.segment_ids)}, tokens, "
                f"dim), not {padded.dtype} {padded.shape}."
            )
        there = self._given_mask(key, padded.shape[1])
        tokens, masks = [], []
        for index, rows in enumerate(padded):
            values, mask = finite_tokens(rows)
            some = (values != 0).any(axis=1)
            # A segment whose tokens are all zeros is without the modality.
            mask = mask & (some if there is None else there[index] & some.any())
            length = np.flatnonzero(mask)[-1] + 1 if mask.any() else 0
            tokens.append(np.where(mask[:length, None], values[:length], 0.0).astype("float32"))
            masks.append(mask[:length])
        return tokens, masks

    def _given_mask(self, key, tokens):
        """Which tokens are no padding by the file's own word; `None` if it has none."""
        shape = (len(self.segment_ids), tokens)
        if key == "text" and "text_bert" in self.entries:
            bert = self._numbers("text_bert")
            if bert.shape == (shape[0], 3, tokens):
                return bert[:, 1] != 0
            raise ValueError(
                f"'text_bert' of the {self.where} must have the shape {(shape[0], 3, tokens)}, not "
                f"{bert.shape}."
            )
        if f"{key}_lengths" not in self.entries:
            return None
        lengths = self._numbers(f"{key}_lengths").reshape(-1)
        if len(lengths) != shape[0] or (lengths < 0).any():
            raise ValueError(
                f"'{key}_lengths' of the {self.where} must be a length of each of the {shape[0]} "
                "segments."
            )
        return np.arange(tokens) < lengths[:, None]  # Longer ones were cut when it was written.

    def _numbers(self, key):
        array = np.asarray(self._entry(key))
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{key!r} of the {self.where} must be numbers, not {array.dtype}.")
        return array

    def _strings(self, key):
        values = np.asarray(self._entry(key))
        if values.ndim != 1 or values.dtype.kind not in "US":
            raise ValueError(
                f"{key!r} of the {self.where} must be a string of each segment, not "
                f"{values.dtype} {values.shape}."
            )
        if values.dtype.kind == "S":
            values = np.array([value.decode("utf-8", "replace") for value in values.tolist()])
        return values

    def _entry(self, key):
        if key not in self.entries:
            raise ValueError(f"The {self.where} has no {key!r}.")
        try:
            np.shape(self.entries[key])
        except ValueError as error:
            raise ValueError(f"{key!r} of the {self.where} is no array: {error}") from error
        return self.entries[key]

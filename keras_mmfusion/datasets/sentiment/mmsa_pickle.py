"""Reads CMU-MOSI and CMU-MOSEI from the pickles of padded arrays that MMSA publishes."""

import numpy as np

from keras_mmfusion.datasets.io.array_unpickler import read_array_pickle
from keras_mmfusion.datasets.sentiment.frame_alignment import replace_nonfinite
from keras_mmfusion.datasets.sentiment.sentiment_sequences import SentimentSequences

# Modality -> key in the files.
MODALITIES = {"text": "text", "audio": "audio", "video": "vision"}


def read_mmsa(path):
    """Reads a file of MMSA, such as `aligned_50.pkl`, without executing code from the pickle.

    The file is a dict of splits. A split is a dict with `text`, `audio` and `vision`, float
    `(segments, tokens, dim)`; `regression_labels`; `id`, strings `video$_$clip`; `raw_text`;
    optionally `text_bert`, int `(segments, 3, tokens)`, whose second row is the text mask; and,
    without alignment, `audio_lengths` and `vision_lengths`.

    Padding is removed according to the text mask and the lengths or, without them, at the end of
    the last nonzero token. Zero tokens of aligned files, which had no frames, are masked. NaN and
    infinite values are replaced by 0.

    Args:
        path: string or path. The files are linked from github.com/thuiar/MMSA.

    Returns:
        A dict, split -> `SentimentSequences` with `"text"`, `"audio"` and `"video"`. Splits are,
        for example, `"train"`, `"valid"` and `"test"`. Arrays may be read-only.

    Raises:
        ValueError: if the file is not a pickle of arrays, refers to a function, or has a missing
            or invalid entry; the message names the split and the entry.

    Reference:
        Mao et al., "M-SENA: An Integrated Platform for Multimodal Sentiment Analysis", 2022.
    """
    content = read_array_pickle(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} must contain a dict of splits, such as 'train' and 'test'.")
    return {split: _Split(path, split, content[split]).sequences() for split in content}


class _Split:
    """One split of a file, with errors that name the split."""

    def __init__(self, path, name, entries):
        self.where = f"split {name!r} of {path}"
        if not isinstance(entries, dict):
            raise ValueError(f"The {self.where} must be a dict.")
        self.entries = entries
        self.segment_ids = self._read_strings("id")

    def sequences(self):
        labels = self._read_labels()
        tokens, masks = {}, {}
        for name, key in MODALITIES.items():
            tokens[name], masks[name] = self._read_tokens(key)
        texts = self._read_strings("raw_text") if "raw_text" in self.entries else None
        return SentimentSequences(
            tokens=tokens,
            masks=masks,
            labels=labels.astype("float32"),
            segment_ids=self.segment_ids,
            video_ids=np.array([name.partition("$_$")[0] for name in self.segment_ids.tolist()]),
            texts=np.full(len(labels), "") if texts is None else texts,
        )

    def _read_labels(self):
        labels = self._read_numbers("regression_labels").reshape(-1)
        if len(labels) != len(self.segment_ids):
            raise ValueError(
                f"'regression_labels' of the {self.where} must have a sentiment for each of the "
                f"{len(self.segment_ids)} segments. Received: {len(labels)}"
            )
        invalid = np.flatnonzero(~((labels >= -3) & (labels <= 3)))
        if len(invalid):
            raise ValueError(
                f"'regression_labels' of the {self.where} must be from -3 to 3. Received: "
                f"{labels[invalid[0]]} for {self.segment_ids[invalid[0]]!r}"
            )
        return labels

    def _read_tokens(self, key):
        """Returns the tokens of a modality without padding, and their masks."""
        padded = self._read_numbers(key)
        if padded.ndim != 3 or len(padded) != len(self.segment_ids):
            raise ValueError(
                f"{key!r} of the {self.where} must be numbers ({len(self.segment_ids)}, tokens, "
                f"dim), not {padded.dtype} {padded.shape}."
            )
        file_mask = self._read_mask(key, padded.shape[1])
        tokens, masks = [], []
        for index, rows in enumerate(padded):
            values, mask = replace_nonfinite(rows)
            is_nonzero = (values != 0).any(axis=1)
            # The modality is missing if all tokens of a segment are zero.
            mask &= is_nonzero if file_mask is None else file_mask[index] & is_nonzero.any()
            length = np.flatnonzero(mask)[-1] + 1 if mask.any() else 0
            tokens.append(np.where(mask[:length, None], values[:length], 0.0).astype("float32"))
            masks.append(mask[:length])
        return tokens, masks

    def _read_mask(self, key, tokens):
        """Returns the mask in the file, bool `(segments, tokens)`, or `None` if it has none."""
        shape = (len(self.segment_ids), tokens)
        if key == "text" and "text_bert" in self.entries:
            bert = self._read_numbers("text_bert")
            if bert.shape == (shape[0], 3, tokens):
                return bert[:, 1] != 0
            raise ValueError(
                f"'text_bert' of the {self.where} must have the shape {(shape[0], 3, tokens)}, not "
                f"{bert.shape}."
            )
        if f"{key}_lengths" not in self.entries:
            return None
        lengths = self._read_numbers(f"{key}_lengths").reshape(-1)
        if len(lengths) != shape[0] or (lengths < 0).any():
            raise ValueError(
                f"'{key}_lengths' of the {self.where} must have a length for each of the "
                f"{shape[0]} segments."
            )
        return np.arange(tokens) < lengths[:, None]  # Longer segments were truncated by MMSA.

    def _read_numbers(self, key):
        array = np.asarray(self._get_entry(key))
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{key!r} of the {self.where} must be numbers, not {array.dtype}.")
        return array

    def _read_strings(self, key):
        values = np.asarray(self._get_entry(key))
        if values.ndim != 1 or values.dtype.kind not in "US":
            raise ValueError(
                f"{key!r} of the {self.where} must have a string for each segment, not "
                f"{values.dtype} {values.shape}."
            )
        if values.dtype.kind == "S":
            values = np.array([value.decode("utf-8", "replace") for value in values.tolist()])
        return values

    def _get_entry(self, key):
        if key not in self.entries:
            raise ValueError(f"The {self.where} has no {key!r}.")
        try:
            np.shape(self.entries[key])
        except ValueError as error:
            raise ValueError(f"{key!r} of the {self.where} is not an array: {error}") from error
        return self.entries[key]

"""Byte-pair encoding, with the ids of Hugging Face's `tokenizers`."""

import functools
import itertools
import json
import os
import re

import numpy as np

from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.tokenizers.byte_pair_characters import (
    FIRST_SPECIAL,
    LAST_SPECIAL,
    split_words,
    split_words_tensor,
)
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import CheckpointTokenizer, make_table

VOCABULARY_FILE, MERGES_FILE = "vocabulary.json", "merges.txt"
_NO_PAIR = np.iinfo("int64").max


@functools.cache
def make_byte_characters():
    """Returns the characters by which vocabularies represent the 256 bytes."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    visible += range(ord("®"), ord("ÿ") + 1)
    others = iter(range(256, 512))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


class BytePairTokenizer(CheckpointTokenizer):
    """Base of `Gpt2Tokenizer` and `ClipTokenizer`."""

    pattern = None
    word_suffix = ""

    def __init__(self, vocabulary=None, merges=None, **kwargs):
        super().__init__(**kwargs)
        self.file_assets = [VOCABULARY_FILE, MERGES_FILE]
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, merges)

    def set_vocabulary(self, vocabulary, merges):
        """Sets the vocabulary and the merges; see the arguments of the class."""
        self.set_tokens(vocabulary)
        self.merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
        ids, self._pairs = self._ids, {}
        for rank, merge in enumerate(self.merges):
            left, right = merge.split(" ")
            missing = [token for token in (left, right, left + right) if token not in ids]
            if missing:
                raise ValueError(f"The vocabulary lacks {missing} of the merge {merge!r}.")
            self._pairs.setdefault((ids[left], ids[right]), (rank, ids[left + right]))
        characters = make_byte_characters()
        self._byte_ids = [self._find_byte(character) for character in characters]
        self._last_byte_ids = [self._find_byte(c + self.word_suffix) for c in characters]
        self._private = {chr(FIRST_SPECIAL + i): t for i, t in enumerate(self.matched_tokens)}
        self._merge_word = functools.lru_cache(maxsize=2**16)(self._merge)

    def _find_byte(self, token):
        return self.token_to_id(token)

    def normalize(self, text):
        return text

    def normalize_tensor(self, texts):
        return texts

    def split_text(self, text):
        """Returns the ids of a string."""
        return self.split_spans([(text, True)])

    def split_spans(self, spans):
        """Returns the ids of a text that consists of trusted and untrusted spans.

        Special tokens are found only in trusted spans, so that a user who writes `<|im_end|>` does
        not end a message. Words may continue from a span to the next.

        Args:
            spans: list of tuples of a string, and whether to find special tokens in it.

        Returns:
            A list of ints.
        """
        ids, text = [], ""
        for span, is_trusted in spans:
            span = span.encode("utf-8", "replace").decode()
            span = re.sub(f"[{chr(FIRST_SPECIAL)}-{chr(LAST_SPECIAL)}]", "", span)
            position = 0
            for match in self._special_pattern.finditer(span) if is_trusted else ():
                text += span[position : match.start()]
                ids += [*self._split_plain(text), self._ids[match.group()]]
                text, position = "", match.end()
            text += span[position:]
        return ids + self._split_plain(text)

    def _split_plain(self, text):
        words = split_words(self.normalize(text), self.pattern)
        return [id for word in words for id in self._merge_word(word)]

    def _merge(self, word):
        data = word.encode()
        ids = [self._byte_ids[byte] for byte in data[:-1]] + [self._last_byte_ids[data[-1]]]
        ids = [id for id in ids if id >= 0]
        while True:
            pairs = [self._pairs.get(pair, (_NO_PAIR, -1)) for pair in itertools.pairwise(ids)]
            rank, merged = min(pairs, default=(_NO_PAIR, -1))
            if rank == _NO_PAIR:
                return ids
            index = pairs.index((rank, merged))
            ids[index : index + 2] = [merged]

    def split_tensor(self, texts):
        """Returns the ids of a vector of strings, as a ragged tensor."""
        import tensorflow as tf

        limit = LAST_SPECIAL - FIRST_SPECIAL + 1
        if len(self._private) > limit:
            raise ValueError(
                f"Inside TensorFlow graphs, at most {limit} special tokens are supported. "
                f"Received: {len(self._private)}. Tokenize the texts before the pipeline."
            )
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf.strings.regex_replace(texts, r"[\x{FDD0}-\x{FDEF}]", "")
        for character, token in self._private.items():
            texts = tf.strings.regex_replace(texts, re.escape(token), character)
        words = split_words_tensor(self.normalize_tensor(texts), self.pattern)
        pieces = words.with_flat_values(self._merge_tensor(words.flat_values))
        return tf.cast(pieces.merge_dims(1, 2), self.compute_dtype)

    def _merge_tensor(self, words):
        """Merges the bytes of a vector of words: in each step, one pair of each word."""
        import tensorflow as tf

        tables, size = self._get_tables(), len(self.tokens)
        data = tf.strings.unicode_decode(words, "ISO-8859-1")  # the bytes
        special = tables["special_ids"].lookup(words)
        if min(self._byte_ids) < 0:
            is_kept = tf.gather(tables["byte_ids"], data.flat_values) >= 0
            is_kept |= tf.gather(special >= 0, data.value_rowids())
            data = tf.ragged.boolean_mask(data, data.with_flat_values(is_kept))
        lengths = tf.cast(data.row_lengths(), "int32")[:, tf.newaxis]
        data = data.to_tensor()
        indices = tf.range(tf.shape(data)[1])
        ids = tf.where(
            indices == lengths - 1,
            tf.gather(tables["last_byte_ids"], data),
            tf.gather(tables["byte_ids"], data),
        )
        ids = tf.where(indices < lengths, ids, tf.constant(-1, "int64"))
        special = special[:, tf.newaxis]
        ids = tf.where(special < 0, ids, tf.where(indices == 0, special, -1))

        def merge(ids, changed):
            left, right = ids[:, :-1], ids[:, 1:]
            keys = tf.where((left < 0) | (right < 0), tf.constant(-1, "int64"), left * size + right)
            ranks = tables["pairs"].lookup(keys)
            best = tf.argmin(ranks, axis=1, output_type="int32")[:, tf.newaxis]
            rank = tf.gather(ranks, best, axis=1, batch_dims=1)
            is_merged = rank < _NO_PAIR
            source = indices + tf.cast(is_merged & (indices > best), "int32")
            padded = tf.pad(ids, [(0, 0), (0, 1)], constant_values=-1)
            moved = tf.gather(padded, source, axis=1, batch_dims=1)
            ids = tf.where(is_merged & (indices == best), rank % size, moved)
            return ids, tf.reduce_any(is_merged)

        ids, _ = tf.while_loop(
            lambda ids, changed: changed,
            merge,
            (ids, tf.shape(ids)[1] > 1),
            shape_invariants=(tf.TensorShape((None, None)), tf.TensorShape(())),
        )
        return tf.ragged.boolean_mask(ids, ids >= 0)

    def _spell(self, token):
        """Returns the bytes of a token, with a space instead of the suffix of words."""
        suffix = self.word_suffix
        is_last = bool(suffix) and token.endswith(suffix)
        numbers = {character: byte for byte, character in enumerate(make_byte_characters())}
        text = token.removesuffix(suffix) if is_last else token
        data = b"".join(bytes([numbers[c]]) if c in numbers else c.encode("utf-8") for c in text)
        return data + b" " if is_last else data

    def join_tokens(self, tokens):
        """Joins tokens to a text."""
        text = b"".join(map(self._spell, tokens)).decode("utf-8", "replace")
        return text.strip() if self.word_suffix else text

    def join_tensor(self, ids):
        """Joins a ragged tensor of ids to texts."""
        import tensorflow as tf

        spellings = tf.gather(self._get_tables()["spellings"], ids.flat_values)
        texts = tf.strings.reduce_join(ids.with_flat_values(spellings), axis=-1)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        return tf.strings.strip(texts) if self.word_suffix else texts

    def _make_tables(self):
        import tensorflow as tf

        size = len(self.tokens)
        pairs = {
            left * size + right: rank * size + merged
            for (left, right), (rank, merged) in self._pairs.items()
        }
        special = {character: self._ids[token] for character, token in self._private.items()}
        return {
            "pairs": make_table(pairs, "int64", "int64", _NO_PAIR),
            "special_ids": make_table(special, "string", "int64", -1),
            "byte_ids": tf.constant(self._byte_ids, "int64"),
            "last_byte_ids": tf.constant(self._last_byte_ids, "int64"),
            "spellings": tf.constant([self._spell(token) for token in self.tokens]),
        }

    def save_assets(self, dir_path):
        """Saves the vocabulary and the merges to a folder."""
        ids = {token: index for index, token in enumerate(self.get_vocabulary())}
        with replace_file(os.path.join(dir_path, VOCABULARY_FILE)) as scratch:
            scratch.write_text(json.dumps(ids, ensure_ascii=False), "utf-8")
        with replace_file(os.path.join(dir_path, MERGES_FILE)) as scratch:
            scratch.write_text("".join(f"{merge}\n" for merge in self.merges), "utf-8")

    def load_assets(self, dir_path):
        """Loads the vocabulary and the merges from a folder."""
        ids = read_json(os.path.join(dir_path, VOCABULARY_FILE))
        with open(os.path.join(dir_path, MERGES_FILE), encoding="utf-8") as file:
            merges = file.read().split("\n")[:-1]
        self.set_vocabulary(sorted(ids, key=ids.get), merges)

    def get_config(self):
        return {**super().get_config(), "merges": None}

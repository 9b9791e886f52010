"""The tokenizers of GPT-2 and CLIP, with the ids of Hugging Face's `tokenizers`."""

import functools
import itertools
import json
import os
import re
import unicodedata

import keras
import numpy as np

from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.tokenizers.byte_pair_characters import (
    CLIP_PATTERN,
    DIGITS_PATTERN,
    FIRST_SPECIAL,
    GPT2_PATTERN,
    LAST_SPECIAL,
    split_words,
    split_words_tensor,
)
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import CheckpointTokenizer, make_table
from keras_mmfusion.models.tokenizers.composition import compose_tensor, make_composition_tables

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


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class Gpt2Tokenizer(BytePairTokenizer):
    """Tokenizes text as GPT-2 or SmolLM2, with the same ids as Hugging Face's `tokenizers`.

    Text is split into words, which include the space in front of them. The bytes of a word are
    merged in pairs, the pair that comes first in the list of merges first. Special tokens in a
    text are found as they are written; `split_spans` finds them only in trusted parts of it.

    Eager calls run in pure Python; inside a `tf.data` pipeline or a `tf.function`, TensorFlow
    operations compute the same ids, without TensorFlow Text.

    Args:
        vocabulary: list of strings, the tokens ordered by id. With `None`, the vocabulary and the
            merges are set later by `load_assets`.
        merges: list of strings, two tokens separated by a space, or of pairs of strings.
        start_token: string. The first token of a generated text.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest.
        unknown_token: string. Never needed: bytes that are no tokens are left out.
        special_tokens: strings. The tokens that a text may contain as they are written.
        split_digits: bool. Whether each digit is a word of its own, as in SmolLM2.
        dtype: string. Integer dtype of the ids.
        **kwargs: passed to `keras_hub.tokenizers.Tokenizer`.

    Call arguments:
        inputs: string, or nested lists, NumPy array or `tf.Tensor` of strings, of any shape.

    Returns:
        Nested lists of int ids, one level deeper than the input; inside TensorFlow graphs an
        int32 `tf.RaggedTensor` (a dense vector for a single string).

    Raises:
        ValueError: if the vocabulary is invalid or has not been set.

    Example:

    >>> vocabulary = [*make_byte_characters(), "do", "dog", "Ġdog", "<|endoftext|>"]
    >>> tokenizer = Gpt2Tokenizer(vocabulary, ["d o", "do g", "Ġ dog"])
    >>> tokenizer("dog dog!")
    [257, 258, 33]
    >>> tokenizer.detokenize([259, 257, 258, 259])
    'dog dog'
    """

    def __init__(
        self,
        vocabulary=None,
        merges=None,
        start_token="<|endoftext|>",
        end_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unknown_token="<|endoftext|>",
        special_tokens=("<|endoftext|>",),
        split_digits=False,
        dtype="int32",
        **kwargs,
    ):
        self.split_digits = split_digits
        self.pattern = DIGITS_PATTERN if split_digits else GPT2_PATTERN
        super().__init__(
            vocabulary,
            merges,
            start_token=start_token,
            end_token=end_token,
            pad_token=pad_token,
            unknown_token=unknown_token,
            special_tokens=special_tokens,
            dtype=dtype,
            **kwargs,
        )

    def _find_byte(self, token):
        """Returns -1 for a byte that is no token, such as control characters in SmolLM2."""
        return self._ids.get(token, -1)

    def get_config(self):
        return {**super().get_config(), "split_digits": self.split_digits}


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ClipTokenizer(BytePairTokenizer):
    """Tokenizes text as CLIP, with the same ids as Hugging Face's `tokenizers`.

    Text is composed (Unicode's NFC), converted to lowercase, and split into words without spaces.
    The bytes of a word are merged in pairs, the pair that comes first in the list of merges first.
    The last byte of a word has the suffix `</w>`. Special tokens in a text are found as they are
    written. No ids are added at the start or end.

    Eager calls run in pure Python. Inside a `tf.data` pipeline or a `tf.function`, TensorFlow
    operations compute the same ids, without TensorFlow Text.

    Args:
        vocabulary: list of strings, the tokens ordered by id. With `None`, the vocabulary and the
            merges are set later by `load_assets`.
        merges: list of strings, two tokens separated by a space, or of pairs of strings.
        start_token: string. The first token of a text.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest.
        unknown_token: string. Never needed, since every byte is a token.
        special_tokens: strings. The tokens that a text may contain as they are written.
        dtype: string. Integer dtype of the ids.
        **kwargs: passed to `keras_hub.tokenizers.Tokenizer`.

    Call arguments:
        inputs: string, or nested lists, NumPy array or `tf.Tensor` of strings, of any shape.

    Returns:
        Nested lists of int ids, one level deeper than the input; inside TensorFlow graphs an
        int32 `tf.RaggedTensor` (a dense vector for a single string).

    Raises:
        ValueError: if the vocabulary is invalid or has not been set.

    Example:

    >>> vocabulary = [*make_byte_characters(), *(f"{c}</w>" for c in make_byte_characters())]
    >>> vocabulary += ["do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    >>> tokenizer = ClipTokenizer(vocabulary, ["d o", "do g</w>"])
    >>> tokenizer("Dog DOG!")
    [513, 513, 289]
    >>> tokenizer.detokenize([514, 513, 513, 289, 515])
    'dog dog !'
    """

    pattern = CLIP_PATTERN
    word_suffix = "</w>"

    def __init__(
        self,
        vocabulary=None,
        merges=None,
        start_token="<|startoftext|>",
        end_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unknown_token="<|endoftext|>",
        special_tokens=("<|startoftext|>", "<|endoftext|>"),
        dtype="int32",
        **kwargs,
    ):
        super().__init__(
            vocabulary,
            merges,
            start_token=start_token,
            end_token=end_token,
            pad_token=pad_token,
            unknown_token=unknown_token,
            special_tokens=special_tokens,
            dtype=dtype,
            **kwargs,
        )

    @property
    def cls_token_id(self):
        return self.start_token_id

    @property
    def sep_token_id(self):
        return self.end_token_id

    def normalize(self, text):
        """Composes a text and converts it to lowercase."""
        return "".join(map(_lower, unicodedata.normalize("NFC", text)))

    def normalize_tensor(self, texts):
        """Composes a vector of texts and converts them to lowercase."""
        import tensorflow as tf

        tables = self._get_tables()
        characters = tf.strings.unicode_decode(compose_tensor(texts, tables), "UTF-8")
        values = characters.flat_values
        lower = tables["lowercase"].lookup(values)
        same = tf.strings.unicode_encode(values[:, tf.newaxis], "UTF-8")
        lower = characters.with_flat_values(tf.where(lower == "\0", same, lower))
        return tf.strings.reduce_join(lower, axis=-1)

    def _make_tables(self):
        lowercase = make_table(_make_lower_table(), "int32", "string", "\0")
        return {**super()._make_tables(), **make_composition_tables(), "lowercase": lowercase}


def _lower(character):
    """Converts a character to lowercase, and whitespace to a space."""
    is_space = character.isspace() and not "\x1c" <= character <= "\x1f"
    return " " if is_space else character.lower()


@functools.cache
def _make_lower_table():
    numbers = (number for number in range(0x110000) if not 0xD800 <= number <= 0xDFFF)
    return {n: lower for n in numbers if (lower := _lower(chr(n))) != chr(n)}

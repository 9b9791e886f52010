"""BERT's tokenizer, with the ids of Hugging Face's `tokenizers`."""

import os
import re

import keras

from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.models.tokenizers.bert_characters import (
    FIRST_SPECIAL,
    LAST_SPECIAL,
    make_character_table,
    normalize,
)
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import CheckpointTokenizer, make_table

VOCABULARY_FILE = "vocabulary.txt"
_MAX_CHARACTERS = 100  # Longer words are unknown.
# The decoder of `tokenizers` leaves out the space in front of these.
_CLOSING = re.compile(r" (?=[.?!,]|n't|'m|'s|'ve|'re)")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class WordPieceTokenizer(CheckpointTokenizer):
    """Tokenizes text into word pieces as BERT, with the same ids as Hugging Face's `tokenizers`.

    Control characters are removed, accents are stripped, and text is split at whitespace,
    punctuation and ideographs. Each word becomes the longest piece of the vocabulary that starts
    it, then the longest piece, prefixed by `##`, that starts the rest, and so on. A word
    for which this fails, or of more than 100 characters, is unknown. Special tokens in a text are
    found as they are written. No ids are added at the start or end.

    (Unlike KerasHub's `BertTokenizer`, lowercase letters do not follow Unicode's case folding,
    which replaces "ß" by "ss". Characters newer than Unicode 8 may differ from `tokenizers`.)

    Eager calls run in pure Python; inside a `tf.data` pipeline or a `tf.function`, TensorFlow
    operations compute the same ids, without TensorFlow Text.

    Args:
        vocabulary: list of strings, the tokens ordered by id. With `None`, the vocabulary is set
            later by `load_assets`.
        lowercase: bool. Whether to convert text to lowercase.
        strip_accents: bool. `None` is the value of `lowercase`.
        split_ideographs: bool. Whether Chinese characters are words of their own.
        start_token: string. The first token of a generated text, for BLIP `"[DEC]"`.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest.
        unknown_token: string. The token of unknown words.
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

    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "run", "##s", "."]
    >>> tokenizer = WordPieceTokenizer(vocabulary)
    >>> tokenizer("A dog runs.")
    [5, 6, 7, 8, 9]
    >>> tokenizer.detokenize([2, 5, 6, 7, 8, 9, 3, 0])
    'a dog runs.'
    """

    def __init__(
        self,
        vocabulary=None,
        lowercase=True,
        strip_accents=None,
        split_ideographs=True,
        start_token="[CLS]",
        end_token="[SEP]",
        pad_token="[PAD]",
        unknown_token="[UNK]",
        special_tokens=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        dtype="int32",
        **kwargs,
    ):
        super().__init__(
            start_token, end_token, pad_token, unknown_token, special_tokens, dtype, **kwargs
        )
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.split_ideographs = split_ideographs
        self.file_assets = [VOCABULARY_FILE]
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    @property
    def cls_token_id(self):
        return self.token_to_id("[CLS]")

    @property
    def sep_token_id(self):
        return self.token_to_id("[SEP]")

    def set_vocabulary(self, vocabulary):
        """Sets the vocabulary; see the `vocabulary` argument of the class."""
        self.set_tokens(vocabulary)
        self._max_length = max(len(token.removeprefix("##")) for token in vocabulary)
        self._private = {chr(FIRST_SPECIAL + i): t for i, t in enumerate(self.matched_tokens)}

    def split_text(self, text):
        """Returns the ids of a string."""
        text = re.sub(f"[{chr(FIRST_SPECIAL)}-{chr(LAST_SPECIAL)}]", "", text)
        private = {token: character for character, token in self._private.items()}
        text = self._special_pattern.sub(lambda match: private[match.group()], text)
        words = normalize(text, self.lowercase, self.strip_accents, self.split_ideographs).split()
        return [id for word in words for id in self._split_word(word)]

    def _split_word(self, word):
        if word in self._private:
            return [self._ids[self._private[word]]]
        ids, position = [], 0
        while position < len(word) <= _MAX_CHARACTERS:
            prefix = "##" if position else ""
            for end in range(min(len(word), position + self._max_length), position, -1):
                id = self._ids.get(prefix + word[position:end])
                if id is not None:
                    break
            else:
                return [self.unknown_token_id]
            ids.append(id)
            position = end
        return ids or [self.unknown_token_id]

    def split_tensor(self, texts):
        """Returns the ids of a vector of strings, as a ragged tensor."""
        import tensorflow as tf

        texts = tf.strings.regex_replace(texts, r"[\x{F0000}-\x{F00FF}]", "")
        for character, token in self._private.items():
            texts = tf.strings.regex_replace(texts, re.escape(token), character)
        characters = tf.strings.unicode_decode(texts, "UTF-8")
        values = characters.flat_values
        mapped = self._get_tables()["characters"].lookup(values)
        same = tf.strings.unicode_encode(values[:, tf.newaxis], "UTF-8")
        mapped = characters.with_flat_values(tf.where(mapped == "\0", same, mapped))
        words = tf.strings.split(tf.strings.reduce_join(mapped, axis=-1))
        pieces = words.with_flat_values(self._split_words_tensor(words.flat_values))
        return tf.cast(pieces.merge_dims(1, 2), self.compute_dtype)

    def _split_words_tensor(self, words):
        """Splits a vector of words: in each step, finds the next piece of all words."""
        import tensorflow as tf

        table = self._get_tables()["ids"]
        sizes = tf.strings.length(words, unit="UTF8_CHAR")
        lengths = tf.range(1, self._max_length + 1)

        def is_unfinished(positions, failed, pieces):
            return tf.reduce_any((positions < sizes) & ~failed)

        def find_pieces(positions, failed, pieces):
            rest = tf.strings.substr(words, positions, sizes - positions, unit="UTF8_CHAR")
            is_inside = positions > 0
            rest = tf.strings.join([tf.where(is_inside, "##", ""), rest])
            rest = tf.repeat(rest[:, tf.newaxis], self._max_length, axis=1)
            ends = lengths + tf.where(is_inside, 2, 0)[:, tf.newaxis]
            candidates = tf.strings.substr(rest, tf.zeros_like(ends), ends, unit="UTF8_CHAR")
            ids = table.lookup(candidates)
            # Longer candidates than the rest of the word equal the rest.
            longest = tf.reduce_max(tf.where(ids >= 0, lengths, 0), axis=1)
            longest = tf.minimum(longest, sizes - positions)
            id = tf.gather(ids, tf.maximum(longest - 1, 0), axis=1, batch_dims=1)
            is_done = positions == sizes
            failed |= ~is_done & (longest == 0)
            id = tf.where(is_done | failed, tf.constant(-1, id.dtype), id)
            return positions + longest, failed, tf.concat([pieces, id[:, tf.newaxis]], axis=1)

        pieces = tf.zeros((tf.size(words), 0), "int32")
        _, failed, pieces = tf.while_loop(
            is_unfinished,
            find_pieces,
            (tf.zeros_like(sizes), sizes > _MAX_CHARACTERS, pieces),
            shape_invariants=(sizes.shape, sizes.shape, tf.TensorShape((None, None))),
        )
        unknown = tf.fill([tf.size(words), 1], self.unknown_token_id)
        pieces = tf.where(failed[:, tf.newaxis], -1, pieces)
        pieces = tf.concat([tf.where(failed[:, tf.newaxis], unknown, -1), pieces], axis=1)
        return tf.ragged.boolean_mask(pieces, pieces >= 0)

    def join_tokens(self, tokens):
        """Joins tokens to a text, as the decoder of `tokenizers`."""
        return "".join(map(_spell, tokens)).removeprefix(" ")

    def join_tensor(self, ids):
        """Joins a ragged tensor of ids to texts."""
        import tensorflow as tf

        spellings = tf.gather(self._get_tables()["spellings"], ids.flat_values)
        texts = tf.strings.reduce_join(ids.with_flat_values(spellings), axis=-1)
        return tf.strings.regex_replace(texts, "^ ", "")

    def _make_tables(self):
        import tensorflow as tf

        ids = dict(self._ids)
        ids |= {character: self._ids[token] for character, token in self._private.items()}
        arguments = (self.lowercase, self.strip_accents, self.split_ideographs)
        return {
            "ids": make_table(ids, "string", "int32", -1),
            "characters": make_table(make_character_table(*arguments), "int32", "string", "\0"),
            "spellings": tf.constant([_spell(token) for token in self.tokens]),
        }

    def save_assets(self, dir_path):
        """Saves the vocabulary to a folder."""
        text = "".join(f"{token}\n" for token in self.get_vocabulary())
        with replace_file(os.path.join(dir_path, VOCABULARY_FILE)) as scratch:
            scratch.write_text(text, "utf-8")

    def load_assets(self, dir_path):
        """Loads the vocabulary from a folder."""
        with open(os.path.join(dir_path, VOCABULARY_FILE), encoding="utf-8") as file:
            self.set_vocabulary(file.read().removesuffix("\n").split("\n"))

    def get_config(self):
        return {
            **super().get_config(),
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_ideographs": self.split_ideographs,
        }


def _spell(token):
    """Returns how a token appears in a text, with the space in front of it."""
    return token.removeprefix("##") if token.startswith("##") else _CLOSING.sub("", f" {token}")

"""A word-level tokenizer for captions."""

import collections
import os

import keras
import numpy as np
from keras_hub.tokenizers import Tokenizer

from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.models.captioning.word_standardization import standardize, standardize_tensor

VOCABULARY_FILE = "vocabulary.txt"


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class WordTokenizer(Tokenizer):
    """Tokenizes captions into word ids.

    Text is lowercased, accents are removed, and all characters except letters, digits and
    apostrophes inside a word separate words, so words are sequences of `[a-z0-9']`. A word outside
    the vocabulary becomes `[UNK]`. Text never yields a special token: the caption `"[END]"` is
    the word `end`.

    The ids are 0 `[PAD]`, 1 `[START]`, 2 `[END]`, 3 `[UNK]`, then the words. Eager calls run in
    pure Python; inside a `tf.data` pipeline or a `tf.function`, TensorFlow operations compute the
    same result.

    Args:
        vocabulary: list of strings: the four special tokens, in the order above, then the words.
            With `None`, the vocabulary is set later by `load_assets`. Use
            `WordTokenizer.from_captions` to learn a vocabulary.
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

    >>> captions = ["A dog runs.", "A brown dog jumps."]
    >>> tokenizer = WordTokenizer.from_captions(captions, min_count=1)
    >>> tokenizer(["A dog!", "a cat"])
    [[4, 5], [4, 3]]
    >>> tokenizer.detokenize([[1, 4, 5, 2, 0, 0]])
    ['a dog']
    """

    pad_token, pad_token_id = "[PAD]", 0
    start_token, start_token_id = "[START]", 1
    end_token, end_token_id = "[END]", 2
    unknown_token, unknown_token_id = "[UNK]", 3
    special_tokens = [pad_token, start_token, end_token, unknown_token]
    special_token_ids = [pad_token_id, start_token_id, end_token_id, unknown_token_id]

    def __init__(self, vocabulary=None, dtype="int32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.file_assets = [VOCABULARY_FILE]
        self.set_vocabulary(vocabulary)

    @classmethod
    def from_captions(cls, captions, min_count=5, max_words=None, **kwargs):
        """Creates a tokenizer with the vocabulary of the training captions.

        Args:
            captions: iterable of strings or of lists of strings, from the training split only.
            min_count: int. Words with fewer occurrences are omitted.
            max_words: int. Keep at most this many words, the most frequent. `None` keeps all.
            **kwargs: passed to the constructor.

        Returns:
            A `WordTokenizer` with its words ordered by decreasing count, then alphabetically.

        Raises:
            ValueError: if `captions` is empty or no word occurs `min_count` times.
        """
        counts = _count_words(captions)
        words = _select_frequent_words(counts, min_count)
        if not words:
            raise ValueError(
                f"No word occurs at least `min_count={min_count}` times in the `captions` "
                f"(distinct words: {len(counts)}). Pass more captions or lower `min_count`."
            )
        return cls(vocabulary=cls.special_tokens + words[:max_words], **kwargs)

    def extend(self, captions, min_count=5):
        """Creates a tokenizer that also has the frequent words of other captions.

        The words of this tokenizer keep their ids. The new words follow, ordered by decreasing
        count, then alphabetically.

        Args:
            captions: iterable of strings or of lists of strings.
            min_count: int. New words with fewer occurrences are omitted.

        Returns:
            A `WordTokenizer`.

        Example:

        >>> tokenizer = WordTokenizer.from_captions(["a dog"], min_count=1)
        >>> tokenizer.extend(["a cat", "a small cat"], min_count=2).get_vocabulary()[4:]
        ['a', 'dog', 'cat']
        """
        words = _select_frequent_words(_count_words(captions), min_count)
        words = [word for word in words if word not in self._ids]
        return type(self)(self.get_vocabulary() + words, dtype=self.dtype_policy.name)

    def set_vocabulary(self, vocabulary):
        """Sets the vocabulary; see the `vocabulary` argument of the class."""
        self._tables = None
        self.vocabulary = None
        self._ids = {}
        if vocabulary is None:
            return
        vocabulary = list(vocabulary)
        number = len(self.special_tokens)
        if vocabulary[:number] != self.special_tokens or len(vocabulary) == number:
            raise ValueError(
                f"`vocabulary` must contain {self.special_tokens}, then words. Received "
                f"{len(vocabulary)} entries starting with {vocabulary[: number + 1]}. Use "
                "`WordTokenizer.from_captions` to learn a vocabulary."
            )
        self._ids = {token: index for index, token in enumerate(vocabulary)}
        for index, word in enumerate(vocabulary[number:], start=number):
            if not word or standardize(word).split() != [word] or self._ids[word] != index:
                raise ValueError(
                    "`vocabulary` must contain distinct words of the characters [a-z0-9']. "
                    f"Received {word!r} at index {index}."
                )
        self.vocabulary = vocabulary

    def get_vocabulary(self):
        """Returns the tokens as a list of strings, ordered by id."""
        if self.vocabulary is None:
            raise ValueError(
                "The WordTokenizer has no vocabulary. Pass `vocabulary`, or use "
                "`WordTokenizer.from_captions`."
            )
        return list(self.vocabulary)

    def vocabulary_size(self):
        """Returns the number of ids, including special tokens."""
        return len(self.get_vocabulary())

    def id_to_token(self, id):
        """Returns the token of an id."""
        vocabulary = self.get_vocabulary()
        if not 0 <= id < len(vocabulary):
            raise ValueError(f"`id` must be from 0 to {len(vocabulary) - 1}. Received: id={id}")
        return vocabulary[id]

    def token_to_id(self, token):
        """Returns the id of a token; raises a `ValueError` if it is not in the vocabulary."""
        if token not in self._ids:
            raise ValueError(f"`token` is not in the vocabulary. Received: token={token!r}")
        return self._ids[token]

    def tokenize(self, inputs):
        """Converts strings of any shape to ids; see the class."""
        self.get_vocabulary()
        if uses_tensorflow_operations(self):
            return self._tokenize_tensor(inputs)
        return self._tokenize_nested(_to_nested(inputs))

    def call(self, inputs, training=None):
        return self.tokenize(inputs)

    def detokenize(self, inputs):
        """Converts ids to captions: the words before `[END]`, without special tokens.

        Args:
            inputs: ids of shape `(..., length)`: nested lists, array or tensor.

        Returns:
            Strings of shape `(...)`: a string, nested lists or, in TensorFlow graphs, a tensor.
        """
        self.get_vocabulary()
        if uses_tensorflow_operations(self):
            return self._detokenize_tensor(inputs)
        return self._detokenize_nested(_to_nested(inputs))

    def _tokenize_nested(self, inputs):
        if isinstance(inputs, (str, bytes)):
            unknown = self.unknown_token_id
            return [self._ids.get(word, unknown) for word in standardize(inputs).split()]
        if isinstance(inputs, (list, tuple)):
            return [self._tokenize_nested(entry) for entry in inputs]
        raise ValueError(f"`inputs` must be strings. Received {inputs!r} of type {type(inputs)}.")

    def _detokenize_nested(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"`inputs` must be sequences of ids. Received: {inputs!r}")
        if inputs and isinstance(inputs[0], (list, tuple)):
            return [self._detokenize_nested(row) for row in inputs]
        words = []
        for id in inputs:
            if id == self.end_token_id:
                break
            if id not in self.special_token_ids:
                words.append(self.id_to_token(id))
        return " ".join(words)

    def lookup_tables(self):
        """Returns the lookup tables of TensorFlow graphs, which an export must track: a list."""
        table, _ = self._get_tables()
        return [table]

    def _get_tables(self):
        """Returns the lookup table and the tokens as tensors, created once, outside any graph."""
        import tensorflow as tf

        if self._tables is None:
            with tf.init_scope():
                tokens = tf.constant(self.vocabulary)
                ids = tf.range(len(self.vocabulary), dtype=self.compute_dtype)
                entries = tf.lookup.KeyValueTensorInitializer(tokens, ids)
                self._tables = tf.lookup.StaticHashTable(entries, self.unknown_token_id), tokens
        return self._tables

    def _tokenize_tensor(self, inputs):
        import tensorflow as tf

        if isinstance(inputs, tf.RaggedTensor):
            return inputs.with_flat_values(self._tokenize_tensor(inputs.flat_values))
        inputs = tf.convert_to_tensor(inputs)
        words = tf.strings.split(standardize_tensor(tf.reshape(inputs, [-1])))
        table, _ = self._get_tables()
        ids = words.with_flat_values(table.lookup(words.flat_values))
        if inputs.shape.rank == 0:
            return ids[0]
        shape = tf.shape(inputs, out_type="int64")
        for axis in range(inputs.shape.rank - 1, 0, -1):
            size = inputs.shape[axis] or shape[axis]
            rows = tf.reduce_prod(shape[:axis])
            ids = tf.RaggedTensor.from_uniform_row_length(ids, size, nrows=rows)
        return ids

    def _detokenize_tensor(self, inputs):
        import tensorflow as tf

        _, tokens = self._get_tables()
        if isinstance(inputs, tf.RaggedTensor):
            inputs = inputs.to_tensor(default_value=self.pad_token_id)
        inputs = tf.convert_to_tensor(inputs)
        shape = tf.shape(inputs)
        ids = tf.reshape(inputs, (-1, shape[-1]))
        ended = tf.cumsum(tf.cast(ids == self.end_token_id, "int32"), axis=-1) > 0
        kept = ~ended & (ids >= len(self.special_token_ids))
        words = tf.ragged.boolean_mask(tf.gather(tokens, ids), kept)
        captions = tf.strings.reduce_join(words, axis=-1, separator=" ")
        return tf.ensure_shape(tf.reshape(captions, shape[:-1]), inputs.shape[:-1])

    def save_assets(self, dir_path):
        """Saves the vocabulary to a folder."""
        text = "".join(f"{token}\n" for token in self.get_vocabulary())
        path = os.path.join(dir_path, VOCABULARY_FILE)
        with replace_file(path) as scratch:
            scratch.write_text(text, "utf-8")

    def load_assets(self, dir_path):
        """Loads the vocabulary from a folder."""
        with open(os.path.join(dir_path, VOCABULARY_FILE), encoding="utf-8") as file:
            self.set_vocabulary(file.read().splitlines())

    def get_config(self):
        # As in KerasHub, the vocabulary is saved as a file next to the config.
        return {**super().get_config(), "vocabulary": None}


def _count_words(captions):
    """Counts the words of strings or lists of strings; returns a `collections.Counter`."""
    if isinstance(captions, (str, bytes)):
        raise ValueError(
            f"`captions` must be an iterable of strings. Received one string: {captions!r}"
        )
    counts = collections.Counter()
    for row, entry in enumerate(captions):
        check_texts(entry, f"captions[{row}]")
        for caption in [entry] if isinstance(entry, (str, bytes)) else entry:
            counts.update(standardize(caption).split())
    return counts


def _select_frequent_words(counts, min_count):
    """Lists the words with at least `min_count` occurrences, most frequent first."""
    words = sorted(word for word in counts if counts[word] >= min_count)
    return sorted(words, key=counts.__getitem__, reverse=True)


def _to_nested(inputs):
    """Converts arrays and tensors of any framework to nested lists."""
    if hasattr(inputs, "to_list"):  # tf.RaggedTensor
        return inputs.to_list()
    if keras.ops.is_tensor(inputs):
        return keras.ops.convert_to_numpy(inputs).tolist()
    if hasattr(inputs, "__array__"):
        return np.asarray(inputs).tolist()
    if isinstance(inputs, (list, tuple)):
        return [_to_nested(entry) for entry in inputs]
    return inputs

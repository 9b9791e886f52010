"""A word-level tokenizer for captions."""

import collections
import os

import keras
import numpy as np
from keras_hub.tokenizers import Tokenizer

from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.captioning.word_standardization import standardize, standardize_tensor

VOCABULARY_FILE = "vocabulary.txt"


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class WordTokenizer(Tokenizer):
    """Splits captions into words and numbers them.

    Text is lowercased, accents are dropped, and everything but letters, digits and apostrophes
    inside a word separates words, so a caption's words are runs of `[a-z0-9']`. A word that the
    vocabulary lacks becomes `[UNK]`. Text never yields a special token: the caption `"[END]"` is
    the word `end`.

    The ids are 0 `[PAD]`, 1 `[START]`, 2 `[END]`, 3 `[UNK]`, then the words. Eager calls run in
    pure Python; inside a `tf.data` pipeline or a `tf.function` the same result is computed by
    TensorFlow operations.

    Args:
        vocabulary: list of strings: the four special tokens, in the order above, then the words.
            `None` makes an empty tokenizer whose vocabulary comes from `load_assets`. To learn
            a vocabulary use `WordTokenizer.from_captions`.
        dtype: string. The integer dtype of the ids.
        **kwargs: passed to `keras_hub.tokenizers.Tokenizer`.

    Call arguments:
        inputs: string, or nested lists, NumPy array or `tf.Tensor` of strings, of any shape.

    Returns:
        Nested lists of int ids, one level deeper than the input; inside TensorFlow graphs an
        int32 `tf.RaggedTensor` (a dense vector for a single string).

    Raises:
        ValueError: if the vocabulary is not as described, or none has been set.

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
        """Learns the vocabulary from captions; give it those of the training split only.

        Args:
            captions: iterable of strings or of lists of strings.
            min_count: int. Words seen less often are left out.
            max_words: int. Keep at most this many words, the most frequent. `None` keeps all.
            **kwargs: passed to the constructor.

        Returns:
            A `WordTokenizer`, its words ordered by falling count, then alphabetically.

        Raises:
            ValueError: if there are no captions or no word is seen `min_count` times.
        """
        if isinstance(captions, (str, bytes)):
            raise ValueError(
                f"`captions` must be an iterable of strings. Received one string: {captions!r}"
            )
        counts = collections.Counter()
        number = 0
        for row, entry in enumerate(captions):
            check_texts(entry, f"captions[{row}]")
            for caption in [entry] if isinstance(entry, (str, bytes)) else entry:
                number += 1
                counts.update(standardize(caption).split())
        words = sorted(word for word in counts if counts[word] >= min_count)
        words.sort(key=counts.__getitem__, reverse=True)
        if not words:
            raise ValueError(
                f"No word occurs at least `min_count={min_count}` times in the {number} "
                f"`captions` (different words: {len(counts)}). Pass more captions or lower "
                "`min_count`."
            )
        return cls(vocabulary=cls.special_tokens + words[:max_words], **kwargs)

    def set_vocabulary(self, vocabulary):
        """Sets the vocabulary; see the class's `vocabulary` argument."""
        self._tables = None
        self.vocabulary = None
        self._ids = {}
        if vocabulary is None:
            return
        vocabulary = list(vocabulary)
        number = len(self.special_tokens)
        if vocabulary[:number] != self.special_tokens or len(vocabulary) == number:
            raise ValueError(
                f"`vocabulary` must hold {self.special_tokens} and then words. Received "
                f"{len(vocabulary)} entries starting with {vocabulary[: number + 1]}. Use "
                "`WordTokenizer.from_captions` to learn a vocabulary."
            )
        self._ids = {token: index for index, token in enumerate(vocabulary)}
        for index, word in enumerate(vocabulary[number:], start=number):
            if not word or standardize(word).split() != [word] or self._ids[word] != index:
                raise ValueError(
                    "`vocabulary` must hold different words as the tokenizer splits them "
                    f"(runs of [a-z0-9']). Received {word!r} at index {index}."
                )
        self.vocabulary = vocabulary

    def get_vocabulary(self):
        """The tokens as a list of strings, each at the index that is its id."""
        if self.vocabulary is None:
            raise ValueError(
                "The WordTokenizer has no vocabulary. Pass `vocabulary`, or make it with "
                "`WordTokenizer.from_captions`."
            )
        return list(self.vocabulary)

    def vocabulary_size(self):
        """The number of ids, special tokens included."""
        return len(self.get_vocabulary())

    def id_to_token(self, id):
        """The token of an id."""
        vocabulary = self.get_vocabulary()
        if not 0 <= id < len(vocabulary):
            raise ValueError(f"`id` must be from 0 to {len(vocabulary) - 1}. Received: id={id}")
        return vocabulary[id]

    def token_to_id(self, token):
        """The id of a token; a token outside the vocabulary raises."""
        if token not in self._ids:
            raise ValueError(f"`token` is not in the vocabulary. Received: token={token!r}")
        return self._ids[token]

    def tokenize(self, inputs):
        """Turns strings of any shape into ids; see the class."""
        self.get_vocabulary()
        if self._use_tf_workflow():
            return self._tokenize_tensor(inputs)
        return self._tokenize_nested(_to_nested(inputs))

    def call(self, inputs, training=None):
        return self.tokenize(inputs)

    def detokenize(self, inputs):
        """Turns ids back into captions: words up to `[END]`, special tokens dropped.

        Args:
            inputs: ids of shape `(..., length)`: nested lists, array or tensor.

        Returns:
            Strings of shape `(...)`: a string, nested lists or, in TensorFlow graphs, a tensor.
        """
        self.get_vocabulary()
        if self._use_tf_workflow():
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
        """The TensorFlow constants, made outside the graph being traced and kept."""
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
        table, _ = self.lookup_tables()
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

        _, tokens = self.lookup_tables()
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
        """Writes the vocabulary to a folder."""
        text = "".join(f"{token}\n" for token in self.get_vocabulary())
        path = os.path.join(dir_path, VOCABULARY_FILE)
        scratch = f"{path}.{os.getpid()}"
        with open(scratch, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(scratch, path)

    def load_assets(self, dir_path):
        """Reads the vocabulary from a folder."""
        with open(os.path.join(dir_path, VOCABULARY_FILE), encoding="utf-8") as file:
            self.set_vocabulary(file.read().splitlines())

    def get_config(self):
        # As in keras-hub, the vocabulary travels as a file beside the config.
        return {**super().get_config(), "vocabulary": None}


def _to_nested(inputs):
    """Arrays and tensors of any kind as nested lists; the rest as it is."""
    if hasattr(inputs, "to_list"):  # tf.RaggedTensor
        return inputs.to_list()
    if keras.ops.is_tensor(inputs):
        return keras.ops.convert_to_numpy(inputs).tolist()
    if hasattr(inputs, "__array__"):
        return np.asarray(inputs).tolist()
    if isinstance(inputs, (list, tuple)):
        return [_to_nested(entry) for entry in inputs]
    return inputs

"""The base class of the tokenizers of public checkpoints."""

import re

import keras
import numpy as np
from keras_hub.tokenizers import Tokenizer

from keras_mmfusion._keras_internals import uses_tensorflow_operations


class CheckpointTokenizer(Tokenizer):
    """Base of tokenizers that work eagerly in pure Python, and in TensorFlow graphs.

    Subclasses implement `split_text`, `split_tensor`, `join_tokens`, `join_tensor` and
    `_make_tables`, and call `set_tokens` when the vocabulary is known.

    Args:
        start_token: string. Begins a text that a model generates.
        end_token: string. Ends it.
        pad_token: string. Fills the rest.
        unknown_token: string. Stands for what the vocabulary does not contain.
        special_tokens: strings. The tokens that are found in a text as they are written, before it
            is normalized. They and the tokens above are left out of decoded texts.
        dtype: string. Integer dtype of the ids.
        **kwargs: passed to `keras_hub.tokenizers.Tokenizer`.
    """

    # Whether graphs that contain the tokenizer can be exported.
    is_exportable = True
    # Replace properties of KerasHub's class.
    special_tokens = ()
    special_token_ids = ()

    def __init__(
        self,
        start_token,
        end_token,
        pad_token,
        unknown_token,
        special_tokens=(),
        dtype="int32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.start_token = start_token
        self.end_token = end_token
        self.pad_token = pad_token
        self.unknown_token = self.oov_token = unknown_token
        named = (start_token, end_token, pad_token, unknown_token)
        self.matched_tokens = list(special_tokens)
        self.special_tokens = list(dict.fromkeys((*named, *special_tokens)))
        self.tokens = None
        self._tables = None

    def set_tokens(self, tokens):
        """Sets the vocabulary, the list of tokens by id, and the ids of the special tokens."""
        self._ids = {token: index for index, token in enumerate(tokens)}
        if len(self._ids) != len(tokens):
            raise ValueError("The vocabulary contains a token twice.")
        missing = [token for token in self.special_tokens if token not in self._ids]
        if missing:
            raise ValueError(f"The vocabulary lacks the special tokens {missing}.")
        self.tokens = list(tokens)
        self._tables = None
        self.start_token_id = self._ids[self.start_token]
        self.end_token_id = self._ids[self.end_token]
        self.pad_token_id = self._ids[self.pad_token]
        self.unknown_token_id = self._ids[self.unknown_token]
        self.special_token_ids = [self._ids[token] for token in self.special_tokens]
        # An empty alternation would match everywhere; `(?!)` matches nowhere.
        pattern = "|".join(map(re.escape, self.matched_tokens))
        self._special_pattern = re.compile(pattern or "(?!)")

    def get_vocabulary(self):
        """Returns the tokens as a list of strings, ordered by id."""
        self._check_vocabulary()
        return list(self.tokens)

    def _check_vocabulary(self):
        if self.tokens is None:
            raise ValueError(f"The {type(self).__name__} has no vocabulary. Pass `vocabulary`.")

    def vocabulary_size(self):
        """Returns the number of ids, including special tokens."""
        self._check_vocabulary()
        return len(self.tokens)

    def id_to_token(self, id):
        """Returns the token of an id."""
        if not 0 <= id < self.vocabulary_size():
            raise ValueError(f"`id` must be from 0 to {len(self.tokens) - 1}. Received: id={id}")
        return self.tokens[id]

    def token_to_id(self, token):
        """Returns the id of a token; raises a `ValueError` if it is not in the vocabulary."""
        self._check_vocabulary()
        if token not in self._ids:
            raise ValueError(f"`token` is not in the vocabulary. Received: token={token!r}")
        return self._ids[token]

    def tokenize(self, inputs):
        """Converts strings of any shape to ids; see the class."""
        self._check_vocabulary()
        if uses_tensorflow_operations(self):
            return self._tokenize_tensor(inputs)
        return self._tokenize_nested(_to_nested(inputs))

    def call(self, inputs, training=None):
        return self.tokenize(inputs)

    def detokenize(self, inputs):
        """Converts ids to texts: up to the end token, without special tokens.

        A row may begin with the end token, if it is the start token as well.

        Args:
            inputs: ids of shape `(..., length)`: nested lists, array or tensor.

        Returns:
            Strings of shape `(...)`: a string, nested lists or, in TensorFlow graphs, a tensor.
        """
        self._check_vocabulary()
        if uses_tensorflow_operations(self):
            return self._detokenize_tensor(inputs)
        return self._detokenize_nested(_to_nested(inputs))

    def _tokenize_nested(self, inputs):
        if isinstance(inputs, bytes):
            inputs = inputs.decode("utf-8", "replace")
        if isinstance(inputs, str):
            return self.split_text(inputs)
        if isinstance(inputs, (list, tuple)):
            return [self._tokenize_nested(entry) for entry in inputs]
        raise ValueError(f"`inputs` must be strings. Received {inputs!r} of type {type(inputs)}.")

    def _detokenize_nested(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"`inputs` must be sequences of ids. Received: {inputs!r}")
        if inputs and isinstance(inputs[0], (list, tuple)):
            return [self._detokenize_nested(row) for row in inputs]
        skip_first = self.start_token_id == self.end_token_id
        ids = []
        for index, id in enumerate(inputs):
            if id == self.end_token_id and not (skip_first and index == 0):
                break
            if id not in self.special_token_ids:
                ids.append(id)
        return self.join_tokens([self.id_to_token(id) for id in ids])

    def _tokenize_tensor(self, inputs):
        import tensorflow as tf

        if isinstance(inputs, tf.RaggedTensor):
            return inputs.with_flat_values(self._tokenize_tensor(inputs.flat_values))
        inputs = tf.convert_to_tensor(inputs)
        ids = self.split_tensor(tf.reshape(inputs, [-1]))
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

        if isinstance(inputs, tf.RaggedTensor):
            inputs = inputs.to_tensor(default_value=self.pad_token_id)
        inputs = tf.convert_to_tensor(inputs)
        shape = tf.shape(inputs)
        ids = tf.reshape(inputs, (-1, shape[-1]))
        is_end = ids == self.end_token_id
        if self.start_token_id == self.end_token_id:
            is_end = tf.concat([tf.zeros_like(is_end[:, :1]), is_end[:, 1:]], axis=1)
        kept = tf.cumsum(tf.cast(is_end, "int32"), axis=-1) == 0
        for special in self.special_token_ids:
            kept &= ids != special
        texts = self.join_tensor(tf.ragged.boolean_mask(ids, kept))
        return tf.ensure_shape(tf.reshape(texts, shape[:-1]), inputs.shape[:-1])

    def lookup_tables(self):
        """Returns the lookup tables of TensorFlow graphs, which an export must track: a list."""
        import tensorflow as tf

        tables = self._get_tables().values()
        return [table for table in tables if isinstance(table, tf.lookup.StaticHashTable)]

    def _get_tables(self):
        """Returns the lookup tables and constants by name, created once, outside any graph."""
        import tensorflow as tf

        if self._tables is None:
            with tf.init_scope():
                self._tables = self._make_tables()
        return self._tables

    def _make_tables(self):
        raise NotImplementedError(f"{type(self).__name__} must implement `_make_tables`.")

    def get_config(self):
        # As in KerasHub, the vocabulary is saved as a file next to the config.
        return {
            **super().get_config(),
            "vocabulary": None,
            "start_token": self.start_token,
            "end_token": self.end_token,
            "pad_token": self.pad_token,
            "unknown_token": self.unknown_token,
            "special_tokens": self.matched_tokens,
        }


def make_table(entries, key_dtype, value_dtype, default):
    """Makes a TensorFlow lookup table.

    Args:
        entries: dict, key -> value.
        key_dtype, value_dtype: strings.
        default: the value of all other keys.

    Returns:
        A `tf.lookup.StaticHashTable`.
    """
    import tensorflow as tf

    keys = tf.constant(list(entries), key_dtype)
    values = tf.constant(list(entries.values()), value_dtype)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)


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

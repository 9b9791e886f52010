"""Encoders of the columns of a table, and batches of the table for a `FusionModel`."""

import keras
import numpy as np

from keras_mmfusion.datasets.tables.file_columns import ArrayColumn, AudioColumn, ImageColumn
from keras_mmfusion.datasets.tables.modality_table import multimodal_dataset
from keras_mmfusion.datasets.tables.table_columns import (
    CategoryColumn,
    NumberColumn,
    RecordColumns,
    TextColumn,
)
from keras_mmfusion.encoders import TableEncoder, TokenEncoder, VectorEncoder

MAX_WORDS = 128
PATCH_SIZE = 16


def create_encoder(column, dim, vocabulary_size):
    """Creates an encoder of a column of `MultimodalRows`.

    Args:
        column: column, such as `TextColumn`.
        dim: int. Size of the tokens.
        vocabulary_size: int. Number of hash buckets of words.

    Returns:
        A Keras layer or model.
    """
    if isinstance(column, TextColumn):
        return TokenEncoder(dim, vocabulary_size=vocabulary_size)
    if isinstance(column, CategoryColumn):
        return TokenEncoder(dim, vocabulary_size=len(column.classes))
    if isinstance(column, RecordColumns):
        return TableEncoder(dim, _count_categories(column))
    if isinstance(column, ImageColumn):
        return keras.Sequential(
            [
                keras.layers.Rescaling(1 / 127.5, offset=-1),
                keras.layers.Conv2D(dim, PATCH_SIZE, PATCH_SIZE),
                keras.layers.Reshape((-1, dim)),
            ]
        )
    if isinstance(column, AudioColumn) or (
        isinstance(column, ArrayColumn) and len(column.shape) == 2
    ):
        return TokenEncoder(dim)
    return VectorEncoder(dim)


def adapt_encoder(encoder, rows, modality):
    """Sets the mean and variance of an encoder of numbers from the rows of a table.

    Args:
        encoder: encoder of `create_encoder`.
        rows: `MultimodalRows`.
        modality: string.
    """
    if isinstance(rows.columns[modality], NumberColumn | RecordColumns):
        encoder.adapt(np.stack(rows.values[modality]), rows.masks[modality])


def make_batches(rows, encoders, batch_size, shuffle=False, seed=0):
    """Makes batches of a table; words become hash buckets, so that no vocabulary is stored.

    Args:
        rows: `MultimodalRows`.
        encoders: dict, modality -> encoder.
        batch_size: int.
        shuffle: bool.
        seed: int. Seed of the order.

    Returns:
        A `tf.data.Dataset` of inputs of a `FusionModel`, or of tuples of inputs and labels.
    """
    texts = [name for name, column in rows.columns.items() if isinstance(column, TextColumn)]

    def prepare(inputs, *labels):
        inputs = dict(inputs)
        for name in texts:
            ids = _hash_words(inputs[name], encoders[name].vocabulary_size)
            inputs[name] = ids
            inputs[f"{name}_mask"] = (ids > 0) & inputs[f"{name}_mask"][:, None]
        return (inputs, *labels) if labels else inputs

    return multimodal_dataset(rows, batch_size, shuffle, seed).map(prepare)


def _hash_words(texts, buckets):
    """Converts texts to ids `(batch, words)` from 1 to `buckets` - 1, padded with 0."""
    import tensorflow as tf

    texts = tf.strings.regex_replace(tf.strings.lower(texts, "utf-8"), r"[[:punct:]]+", " ")
    words = tf.strings.split(texts)[:, :MAX_WORDS]
    ids = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, buckets - 1) + 1
    ids = tf.cast(ids.to_tensor(), "int32")
    return tf.pad(ids, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(ids)[1])]])  # At least one token.


def _count_categories(column):
    counts = []
    for part in column.columns:
        is_category = isinstance(part, CategoryColumn)
        counts += [len(part.classes)] if is_category else [None] * part.shape[0]
    return tuple(counts)

"""Unicode's composition (NFC) with TensorFlow operations, without TensorFlow Text."""

import functools
import unicodedata

import numpy as np

from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import make_table

_CHARACTERS = 0x110000


@functools.cache
def _read_unicode():
    """Returns decompositions, composed pairs, combining classes, and the unstable characters."""
    decompositions, pairs, classes, unstable = {}, {}, {}, set()
    for number in range(_CHARACTERS):
        character = chr(number)
        if unicodedata.combining(character):
            classes[number] = unicodedata.combining(character)
            unstable.add(number)
        parts = unicodedata.normalize("NFD", character)
        if parts == character:
            continue
        decompositions[number] = parts
        if unicodedata.normalize("NFC", character) != character:
            unstable.add(number)
            continue
        first, last = unicodedata.normalize("NFC", parts[:-1]), parts[-1]
        if len(first) == 1:
            pairs[ord(first) * _CHARACTERS + ord(last)] = number
            unstable.add(ord(last))
    return decompositions, pairs, classes, unstable


def make_composition_tables():
    """Returns the tables of `compose_tensor`, a dict."""
    import tensorflow as tf

    decompositions, pairs, classes, unstable = _read_unicode()
    flags = np.zeros(max(unstable) + 2, "uint8")
    flags[list(unstable)] = 1
    combining = np.zeros(max(classes) + 2, "uint8")
    combining[list(classes)] = list(classes.values())
    return {
        "decompositions": make_table(decompositions, "int32", "string", "\0"),
        "pairs_of_characters": make_table(pairs, "int64", "int32", -1),
        "unstable": tf.constant(flags),
        "combining": tf.constant(combining),
    }


def compose_tensor(texts, tables):
    """Composes texts, as `unicodedata.normalize("NFC", text)`.

    Args:
        texts: string tensor `(texts,)` of valid UTF-8.
        tables: dict of `make_composition_tables`.

    Returns:
        String tensor `(texts,)`.
    """
    import tensorflow as tf

    values = tf.strings.unicode_decode(texts, "UTF-8").flat_values
    is_unstable = _look_up(tables["unstable"], values) == 1
    return tf.cond(tf.reduce_any(is_unstable), lambda: _compose(texts, tables), lambda: texts)


def _look_up(array, values):
    import tensorflow as tf

    return tf.gather(array, tf.minimum(values, len(array) - 1))


def _compose(texts, tables):
    import tensorflow as tf

    characters = tf.strings.unicode_decode(texts, "UTF-8")
    values = characters.flat_values
    parts = tables["decompositions"].lookup(values)
    parts = tf.where(parts == "\0", tf.strings.unicode_encode(values[:, None], "UTF-8"), parts)
    texts = tf.strings.reduce_join(characters.with_flat_values(parts), axis=-1)
    characters = _sort_marks(tf.strings.unicode_decode(texts, "UTF-8"), tables)
    composed = _compose_pairs(characters.to_tensor(-1), tables)
    return tf.strings.unicode_encode(tf.ragged.boolean_mask(composed, composed >= 0), "UTF-8")


def _sort_marks(characters, tables):
    """Sorts the combining marks behind each character by their classes."""
    import tensorflow as tf

    values, rows = characters.flat_values, characters.value_rowids()
    classes = tf.cast(_look_up(tables["combining"], values), "int64")
    groups = tf.cumsum(tf.cast(classes == 0, "int64")) + rows
    order = tf.argsort(groups * 256 + classes, stable=True)
    return characters.with_flat_values(tf.gather(values, order))


def _compose_pairs(characters, tables):
    """Composes characters with marks, from left to right in all rows at once; -1 is removed."""
    import tensorflow as tf

    columns = tf.range(tf.shape(characters)[1])[None]
    classes = _look_up(tables["combining"], tf.maximum(characters, 0))
    classes = tf.cast(classes, "int32")

    def compose(column, characters, starter, last):
        character, kind = characters[:, column], classes[:, column]
        first = tf.gather(characters, starter, axis=1, batch_dims=1)
        keys = tf.cast(first, "int64") * _CHARACTERS + tf.cast(character, "int64")
        keys = tf.where((first < 0) | (character < 0), tf.constant(-1, "int64"), keys)
        composite = tables["pairs_of_characters"].lookup(keys)
        is_composed = (composite >= 0) & ((last < kind) | (last == 0))
        replaced = tf.where(columns == starter[:, None], composite[:, None], characters)
        replaced = tf.where(columns == column, -1, replaced)
        characters = tf.where(is_composed[:, None], replaced, characters)
        starter = tf.where(~is_composed & (kind == 0), column, starter)
        return column + 1, characters, starter, tf.where(is_composed, last, kind)

    starter = tf.zeros_like(characters[:, 0])
    # Nothing is composed with a mark at the start.
    last = tf.where(classes[:, 0] == 0, 0, 256)
    _, characters, _, _ = tf.while_loop(
        lambda column, *_: column < tf.shape(characters)[1],
        compose,
        (tf.constant(1), characters, starter, last),
    )
    return characters

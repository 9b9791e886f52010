"""Normalizes text to lowercase ASCII words, identically in pure Python and in TensorFlow.

Every character is replaced by a string that depends on that character only, so both
implementations give the same words for any input, independent of the Unicode support of their
regular expression engines.
"""

import functools
import re
import unicodedata

import numpy as np

# Characters from this code point on (emoji, historic scripts) separate words.
FOLD_LIMIT = 0x10000

_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789'")
_APOSTROPHES = "'`\u00b4\u02bc\u2018\u2019\u201b\u2032"
# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i"}

# An apostrophe is part of a word only between two of its letters: `dog's`, but not `'dogs'`.
# Two patterns, applied in this order; both have the same meaning in RE2 and in Python.
_APOSTROPHE_BEFORE = r"''+|^'| '+"
_APOSTROPHE_AFTER = r"'$|' "


@functools.cache
def fold_character(character):
    """Maps a character to letters, digits, an apostrophe, a space or an empty string."""
    if ord(character) >= FOLD_LIMIT:
        return " "
    if character in _APOSTROPHES:
        return "'"
    folded = []
    for part in unicodedata.normalize("NFKD", character).lower():
        if part in _KEPT:
            folded.append(part)
        elif part in _LETTERS:
            folded.append(_LETTERS[part])
        elif unicodedata.category(part) not in ("Mn", "Me", "Cf"):
            folded.append(" ")
    return "".join(folded)


def standardize(text):
    """Normalizes a string to lowercase ASCII words separated by white space.

    Case and accents are removed, apostrophes become `'` and are kept only inside a word, and
    every other character, including the hyphen, separates words.

    Args:
        text: string, or UTF-8 bytes (invalid bytes separate words).

    Returns:
        string.

    Example:

    >>> standardize("A dog\u2019s tri-colored caf\u00e9!").split()
    ['a', "dog's", 'tri', 'colored', 'cafe']
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    text = "".join(map(fold_character, text))
    return re.sub(_APOSTROPHE_AFTER, " ", re.sub(_APOSTROPHE_BEFORE, " ", text))


@functools.cache
def _build_fold_table():
    """Returns the distinct replacement strings and, for each character, an index into them.

    A graph with one string for each character would take a second to load.
    """
    strings, indices = {}, np.empty(FOLD_LIMIT, "int32")
    for code in range(FOLD_LIMIT):
        indices[code] = strings.setdefault(fold_character(chr(code)), len(strings))
    return list(strings), indices


def standardize_tensor(texts):
    """Implements `standardize` for a `tf.string` tensor of rank 1."""
    import tensorflow as tf

    codes = tf.strings.unicode_decode(texts, "UTF-8")
    # `tf.where` of ragged tensors adds hundreds of operations, which every epoch optimizes again.
    flat = tf.where(codes.flat_values < FOLD_LIMIT, codes.flat_values, ord(" "))
    strings, indices = _build_fold_table()
    folded = tf.gather(tf.constant(strings), tf.gather(tf.constant(indices), flat))
    texts = tf.strings.reduce_join(codes.with_flat_values(folded), axis=-1)
    texts = tf.strings.regex_replace(texts, _APOSTROPHE_BEFORE, " ")
    return tf.strings.regex_replace(texts, _APOSTROPHE_AFTER, " ")

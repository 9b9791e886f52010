"""The splitting of text into words before byte pairs are merged."""

import functools
import re
import unicodedata

import numpy as np

# Special tokens in a text are replaced by these noncharacters, which are removed otherwise.
FIRST_SPECIAL, LAST_SPECIAL = 0xFDD0, 0xFDEF
# The classes of characters, as the character that stands for them in an outline. The letters of
# English contractions and the apostrophe stand for themselves.
_LETTER, _NUMBER, _OTHER, _SPECIAL = "a", "0", "!", "^"
_CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
# The last letters of Unicode 16 are below.
_LIMIT = 0x32400
GPT2_PATTERN = rf"\^|{_CONTRACTIONS}|_?[a-z]+|_?0+|_?[!']+|[ \n]+|N"
# Each digit is a word of its own.
DIGITS_PATTERN = rf"\^|{_CONTRACTIONS}|_?[a-z]+|0|_?[!']+|[ \n]+|N"
CLIP_PATTERN = rf"\^|{_CONTRACTIONS}|[a-z]+|0|[!']+"
# Outline in which "_" is a space in front of a word, and "N" other whitespace in front of a word.
_MARKS = {
    GPT2_PATTERN: ((r" ([^ \n^])", r"_\1"), (r"\n([^ \n^_])", r"N\1")),
    DIGITS_PATTERN: ((r" ([^ \n^0])", r"_\1"), (r"\n([^ \n^_0])", r"N\1")),
    CLIP_PATTERN: (),
}


@functools.cache
def _outline_character(character):
    if FIRST_SPECIAL <= ord(character) <= LAST_SPECIAL:
        return _SPECIAL
    if character in "'strevmld":
        return character
    category = unicodedata.category(character)
    if character == " ":
        return " "
    if character.isspace() and not "\x1c" <= character <= "\x1f":
        return "\n"
    return {"L": _LETTER, "N": _NUMBER}.get(category[0], _OTHER)


@functools.cache
def make_outline_codes():
    """Returns the codes of the outline of all characters below `_LIMIT`, uint8."""
    return np.array([ord(_outline_character(chr(number))) for number in range(_LIMIT)], "uint8")


def split_words(text, pattern):
    """Splits a text into words, as the regular expressions of GPT-2, SmolLM2 or CLIP.

    These need Unicode's classes of characters, which the `re` modules of Python and TensorFlow do
    not know. They are applied to the outline of the text, which has a letter for each class.

    Args:
        text: string.
        pattern: `GPT2_PATTERN`, `DIGITS_PATTERN` or `CLIP_PATTERN`.

    Returns:
        A list of strings.

    Example:

    >>> split_words("It's a  café", GPT2_PATTERN)
    ['It', "'s", ' a', ' ', ' café']
    """
    outline = "".join(map(_outline_character, text))
    for mark, replacement in _MARKS[pattern]:
        outline = re.sub(mark, replacement, outline)
    return [text[match.start() : match.end()] for match in re.finditer(pattern, outline)]


def split_words_tensor(texts, pattern):
    """Implements `split_words` with TensorFlow operations, for a vector of valid UTF-8 strings.

    Returns:
        Ragged string tensor `(texts, None)`.
    """
    import tensorflow as tf

    characters = tf.strings.unicode_decode(texts, "UTF-8")
    values = characters.flat_values
    with tf.init_scope():
        codes = tf.constant(make_outline_codes())
    outline = tf.cast(tf.gather(codes, tf.minimum(values, _LIMIT - 1)), "int32")
    outline = tf.where(values < _LIMIT, outline, ord(_OTHER))
    outline = tf.strings.unicode_encode(characters.with_flat_values(outline), "UTF-8")
    for mark, replacement in _MARKS[pattern]:
        outline = tf.strings.regex_replace(outline, mark, replacement)
    outline = tf.strings.regex_replace(outline, f"({pattern})", r"\1|")
    lengths = tf.strings.split(outline, "|")
    lengths = lengths.with_flat_values(tf.strings.length(lengths.flat_values))
    starts = tf.cumsum(lengths.flat_values, exclusive=True)
    rows = lengths.value_rowids()
    starts -= tf.gather(tf.concat([starts, [0]], 0), tf.gather(lengths.row_splits, rows))
    words = tf.strings.substr(tf.gather(texts, rows), starts, lengths.flat_values, unit="UTF8_CHAR")
    if pattern == CLIP_PATTERN:  # Whitespace is not part of any word.
        words = tf.strings.strip(words)
    words = lengths.with_flat_values(words)
    return tf.ragged.boolean_mask(words, words != "")

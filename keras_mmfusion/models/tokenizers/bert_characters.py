"""The normalization of BERT's tokenizers, character by character."""

import functools
import unicodedata

# Ranges of ideographs, which are words of their own.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),  # as in `tokenizers`; the block begins at 0x2B820
    (0x2F800, 0x2FA1F),
)
_INVALID = (0, 0xFFFD)
# Special tokens in a text are replaced by these private characters, which are removed otherwise.
FIRST_SPECIAL, LAST_SPECIAL = 0xF0000, 0xF00FF


def normalize(text, lowercase, strip_accents, split_ideographs=True):
    """Normalizes a text, so that it is split into words at spaces.

    Args:
        text: string.
        lowercase: bool.
        strip_accents: bool.
        split_ideographs: bool. Whether ideographs (Chinese characters) are words of their own.

    Returns:
        A string whose words and punctuation marks are separated by spaces.

    Example:

    >>> normalize("Café\\t(open)!", lowercase=True, strip_accents=True).split()
    ['cafe', '(', 'open', ')', '!']
    """
    return "".join(
        map_character(character, lowercase, strip_accents, split_ideographs) for character in text
    )


@functools.cache
def map_character(character, lowercase, strip_accents, split_ideographs):
    """Returns what a character becomes; see `normalize`."""
    number = ord(character)
    if FIRST_SPECIAL <= number <= LAST_SPECIAL:
        return f" {character} "
    if character in "\t\n\r":
        return " "
    # Control, format and private characters are removed.
    if number in _INVALID or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if character.isspace():
        return " "
    parts = unicodedata.normalize("NFD", character) if strip_accents else character
    if strip_accents:
        parts = [part for part in parts if unicodedata.category(part) != "Mn"]
    parts = [lower for part in parts for lower in (part.lower() if lowercase else part)]
    mapped = "".join(f" {part} " if _is_punctuation(part) else part for part in parts)
    is_ideograph = any(first <= number <= last for first, last in _IDEOGRAPHS)
    return f" {mapped} " if split_ideographs and is_ideograph else mapped


def _is_punctuation(character):
    is_ascii_symbol = character.isascii() and not character.isalnum()
    return is_ascii_symbol or unicodedata.category(character).startswith("P")


@functools.cache
def make_character_table(lowercase, strip_accents, split_ideographs):
    """Returns the characters that normalization changes, as a dict of code point -> string."""
    table = {}
    for number in range(0x110000):
        character = chr(number)
        if 0xD800 <= number <= 0xDFFF or unicodedata.category(character) == "Cn":
            continue
        mapped = map_character.__wrapped__(character, lowercase, strip_accents, split_ideographs)
        if mapped != character:
            table[number] = mapped
    return table

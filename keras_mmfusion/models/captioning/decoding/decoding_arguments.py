"""What the arguments of decoding may be. Loads no Keras, for the command line's sake."""

import math
import numbers

MOST_BEAMS = 1024
LENGTH_PENALTIES = (-2.0, 10.0)
# The attention of a search grows with images * beams ** 2. So many fit into a few gigabytes.
MOST_SQUARES = 1 << 20


def checked_integer(name, value, least, most=None):
    """`value` as an int.

    Args:
        name: string. The argument that the user gave.
        value: what it is; integers of NumPy will do.
        least, most: ints: the range. `most` may be `None`.

    Raises:
        ValueError: if it is no integer in this range.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < least or (most is not None and value > most):
        expected = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"`{name}` must be an integer {expected}. Received: {value!r}")
    return int(value)


def checked_number(name, value, least, most):
    """`value` as a float from `least` to `most`, which NaN is not.

    Args:
        name: string. The argument that the user gave.
        value: what it is; numbers of NumPy will do.
        least, most: floats: the range.

    Raises:
        ValueError: if it is no number in this range.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be a number from {least:g} to {most:g}. Received: {value!r}"
        )
    return float(value)


def check_search_width(beams, vocabulary_size, images=1):
    """Checks that a search is no wider than its first step has words, and fits into memory.

    Args:
        beams: int, at least 1.
        vocabulary_size: int.
        images: int. How many are searched for at once.

    Raises:
        ValueError: if it is wider.
    """
    if beams > vocabulary_size:
        raise ValueError(
            f"`beams` must be at most {vocabulary_size}, the size of the vocabulary. "
            f"Received: {beams}"
        )
    if images_at_once(beams) < images:
        raise ValueError(
            f"`beams` must be at most {math.isqrt(MOST_SQUARES // images)}, as the memory for "
            f"searching {images} images at once grows with its square. Received: {beams}"
        )


def images_at_once(width):
    """How many images fit into memory in a search or draw of so many captions of each.

    Example:

    >>> images_at_once(4), images_at_once(256)
    (65536, 16)
    """
    return max(1, MOST_SQUARES // width**2)

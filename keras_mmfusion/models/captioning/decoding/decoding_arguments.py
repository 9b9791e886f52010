"""Validates decoding arguments without importing Keras, since the command line uses it."""

import math
import numbers

MAX_BEAMS = 1024
LENGTH_PENALTIES = (-2.0, 10.0)
# The attention memory of a search grows with images * beams ** 2. This limit is a few gigabytes.
MOST_SQUARES = 1 << 20


def checked_integer(name, value, least, most=None):
    """Checks that an argument is an integer in a range and returns it as an int.

    Args:
        name: string. Name of the argument, for the error message.
        value: the argument; NumPy integers are accepted.
        least, most: ints. The range, inclusive. `most` may be `None`.

    Raises:
        ValueError: if `value` is not an integer in this range.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < least or (most is not None and value > most):
        expected = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"`{name}` must be an integer {expected}. Received: {value!r}")
    return int(value)


def checked_number(name, value, least, most):
    """Checks that an argument is a number in a range and returns it as a float.

    Args:
        name: string. Name of the argument, for the error message.
        value: the argument; NumPy numbers are accepted, NaN is not.
        least, most: floats. The range, inclusive.

    Raises:
        ValueError: if `value` is not a number in this range.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be a number from {least:g} to {most:g}. Received: {value!r}"
        )
    return float(value)


def check_search_width(beams, vocabulary_size, images=1):
    """Checks the beam width against the vocabulary size and the available memory.

    Args:
        beams: int, at least 1.
        vocabulary_size: int.
        images: int. Number of images decoded together.

    Raises:
        ValueError: if `beams` is too large.
    """
    if beams > vocabulary_size:
        raise ValueError(
            f"`beams` must be at most {vocabulary_size}, the size of the vocabulary. "
            f"Received: {beams}"
        )
    if images_at_once(beams) < images:
        raise ValueError(
            f"`beams` must be at most {math.isqrt(MOST_SQUARES // images)}, since the memory for "
            f"decoding {images} images together grows with its square. Received: {beams}"
        )


def images_at_once(width):
    """Computes how many images fit into memory when decoding `width` captions of each.

    Example:

    >>> images_at_once(4), images_at_once(256)
    (65536, 16)
    """
    return max(1, MOST_SQUARES // width**2)

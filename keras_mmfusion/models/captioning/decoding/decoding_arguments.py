"""Validates decoding arguments without importing Keras, since the command line uses it."""

import math

MAX_BEAMS = 1024
LENGTH_PENALTIES = (-2.0, 10.0)
# The attention memory of a search grows with images * beams ** 2. This limit is a few gigabytes.
MAX_SQUARED_WIDTH = 1 << 20


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
    if compute_max_batch(beams) < images:
        maximum = math.isqrt(MAX_SQUARED_WIDTH // images)
        raise ValueError(
            f"`beams` must be at most {maximum}, since the memory for decoding {images} images "
            f"together grows with its square. Received: {beams}"
        )


def compute_max_batch(width):
    """Computes how many images fit into memory when decoding `width` captions of each.

    Example:

    >>> compute_max_batch(4), compute_max_batch(256)
    (65536, 16)
    """
    return max(1, MAX_SQUARED_WIDTH // width**2)

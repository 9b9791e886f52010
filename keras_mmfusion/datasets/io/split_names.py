"""Checks the names of splits."""

import os


def strip_split_name(split):
    """Returns the name of a split, or the path of a list file, without surrounding whitespace.

    Args:
        split: string or path.

    Returns:
        A string.

    Raises:
        ValueError: if `split` has another type.

    Example:

    >>> strip_split_name(" train")
    'train'
    """
    if not isinstance(split, (str, os.PathLike)):
        raise ValueError(
            f"`split` must be a string, such as 'train', or the path of a list file. Received: "
            f"{split!r:.80}"
        )
    return os.fspath(split).strip()

"""Names of splits, as arguments."""

import os


def split_name(split):
    """A split's name, or the path of a list file, without blanks around it.

    Args:
        split: string or path.

    Returns:
        A string.

    Raises:
        ValueError: if it is neither.

    Example:

    >>> split_name(" train")
    'train'
    """
    if not isinstance(split, (str, os.PathLike)):
        raise ValueError(
            f"`split` must be a string, such as 'train', or the path of a list file. Received: "
            f"{split!r:.80}"
        )
    return os.fspath(split).strip()

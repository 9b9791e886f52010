"""Checks the image files of a data set."""

import os


def find_missing_files(images):
    """Returns the distinct paths that are not files."""
    return [image for image in dict.fromkeys(images) if not os.path.isfile(image)]


def raise_if_any(names, problem):
    """Raises an error that lists the first three of `names`, if there are any.

    Example:

    >>> raise_if_any(["a.jpg", "b.jpg"], "There is no")
    Traceback (most recent call last):
    ...
    ValueError: There is no 'a.jpg', 'b.jpg'.
    """
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ValueError(f"{problem} {', '.join(map(repr, names[:3]))}{more}.")

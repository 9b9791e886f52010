"""Checks of arguments that are lists of strings, which one bare string passes for."""

import os


def check_strings(name, values):
    """Raises an error if an argument is a string, or has what is no string.

    Args:
        name: string. The argument's name.
        values: list, tuple or array of strings.

    Example:

    >>> check_strings("classes", "yes")
    Traceback (most recent call last):
    ...
    ValueError: `classes` must be a list of strings. Received: 'yes'; did you mean ['yes']?
    """
    if isinstance(values, bytes) or not hasattr(values, "__iter__"):
        raise ValueError(f"`{name}` must be a list of strings. Received: {values!r:.80}")
    if isinstance(values, str):
        raise ValueError(
            f"`{name}` must be a list of strings. Received: {values!r:.80}; did you mean "
            f"[{values!r:.80}]?"
        )
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"`{name}` must be a list of strings, but an entry is {value!r:.80}")


def list_paths(name, values):
    """Paths as a list of strings.

    Args:
        name: string. The argument's name.
        values: list, array or pandas Series of strings or paths.

    Returns:
        List of strings.

    Raises:
        ValueError: if it is something else.
    """
    if hasattr(values, "__iter__") and not isinstance(values, (str, bytes)):
        values = [os.fspath(each) if isinstance(each, os.PathLike) else each for each in values]
    check_strings(name, values)
    return values


def check_string_lists(name, lists):
    """Raises an error if an argument is not a list of lists of strings; see `check_strings`.

    Args:
        name: string. The argument's name.
        lists: list of lists of strings.
    """
    if isinstance(lists, (str, bytes)) or not hasattr(lists, "__iter__"):
        raise ValueError(f"`{name}` must be a list of lists of strings. Received: {lists!r:.80}")
    for place, values in enumerate(lists):
        if not hasattr(values, "__iter__"):
            raise ValueError(f"`{name}[{place}]` must be a list of strings. Received: {values!r}")
        check_strings(f"{name}[{place}]", values)

"""Checks arguments that must be lists of strings, for which a single string could be mistaken."""

import os


def check_strings(name, values):
    """Checks that an argument is a list of strings.

    Args:
        name: string. The name of the argument.
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
    """Converts an argument to a list of path strings.

    Args:
        name: string. The name of the argument.
        values: list, array or pandas Series of strings or paths.

    Returns:
        List of strings.

    Raises:
        ValueError: if `values` has another type.
    """
    if hasattr(values, "__iter__") and not isinstance(values, (str, bytes)):
        values = [os.fspath(each) if isinstance(each, os.PathLike) else each for each in values]
    check_strings(name, values)
    return values


def check_string_lists(name, lists):
    """Checks that an argument is a list of lists of strings; see `check_strings`.

    Args:
        name: string. The name of the argument.
        lists: list of lists of strings.
    """
    if isinstance(lists, (str, bytes)) or not hasattr(lists, "__iter__"):
        raise ValueError(f"`{name}` must be a list of lists of strings. Received: {lists!r:.80}")
    for index, values in enumerate(lists):
        if not hasattr(values, "__iter__"):
            raise ValueError(f"`{name}[{index}]` must be a list of strings. Received: {values!r}")
        check_strings(f"{name}[{index}]", values)

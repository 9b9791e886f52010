"""Ids of users and items: strings, none of which is missing."""

import math
import numbers

import numpy as np

# What None, NaN and the like become when they are written as strings.
_MISSING = ("", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT")
# From here on, floats have gaps between integers.
_LARGEST_FLOAT = 2.0**53


def id_text(value):
    """An id as a string, without blanks around it.

    A whole number is the same id whether it is an integer or a float, which pandas makes of
    integers where some of a column are missing.

    Args:
        value: string, bytes, number, or `None` or NaN, which become the text of a missing value.

    Returns:
        A string.

    Raises:
        ValueError: if it is a number that is not whole, or a float too large to be exact.

    Example:

    >>> id_text(7.0), id_text(" a")
    ('7', 'a')
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, (list, tuple, dict, set, np.ndarray)):
        raise ValueError(f"an id must be a string or a whole number. Received: {value!r:.80}")
    if not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return str(value).strip()
    if math.isnan(value):
        return "nan"
    if value % 1 != 0 or abs(value) > _LARGEST_FLOAT:
        raise ValueError(
            f"an id must be a string or a whole number of at most 53 bits. Received: {value!r}. "
            "Read the ids as strings, for example by pandas' read_csv(path, dtype=str)."
        )
    return str(int(value))


def check_ids(ids, name, unit="index", places=None):
    """Checks ids, which must not be missing: no user is called None or nan.

    Args:
        ids: list, array or pandas Series of strings or whole numbers; see `id_text`.
        name: string. What they are, for the error message.
        unit: string. What ids are counted in, for the error message.
        places: list, the number of each id in that unit; its index by default.

    Returns:
        String array `(ids,)`.

    Raises:
        ValueError: if an id is missing, empty, the text of a missing value, a number that is not
            whole, or more than one line; or if `ids` is a single string.

    Example:

    >>> check_ids([7, "a"], "`users`").tolist()
    ['7', 'a']
    """
    values = np.asarray(ids, None if isinstance(ids, np.ndarray) else "object")
    if values.ndim != 1:
        raise ValueError(f"{name} must be a list or array of ids. Received: {ids!r:.80}")
    if values.dtype.kind in "Uiu":
        texts = np.char.strip(values.astype("str"))
    else:
        try:
            texts = np.array([id_text(each) for each in values], "str")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    lines = (np.char.find(texts, "\n") >= 0) | (np.char.find(texts, "\r") >= 0)
    is_wrong = np.isin(texts, _MISSING) | lines
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        place = wrong[0] if places is None else places[wrong[0]]
        raise ValueError(
            f"{name} must not be missing, but {len(wrong)} of {len(texts)} are, first at {unit} "
            f"{place}: {texts[wrong[0]].item()!r:.80}. Leave those rows out first."
        )
    return texts


def check_different_ids(ids, name):
    """Checks ids as `check_ids` does, and that none comes twice.

    Args:
        ids: list, array or pandas Series of strings or whole numbers.
        name: string. What they are, for the error message.

    Returns:
        String array `(ids,)`.
    """
    ids = check_ids(ids, name)
    found, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        raise ValueError(f"{name} has ids twice: {', '.join(found[counts > 1][:20])}")
    return ids

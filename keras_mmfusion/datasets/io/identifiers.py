"""Checks and normalizes the ids of users and items."""

import math
import numbers

import numpy as np

# Missing values that were converted to strings.
_MISSING = ("", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT")
# Larger floats cannot represent all integers.
_LARGEST_FLOAT = 2.0**53


def format_id(value):
    """Converts an id to a string without surrounding whitespace.

    Integers and whole floats give the same id, because pandas converts integer columns with
    missing values to floats.

    Args:
        value: string, bytes, number, or `None` or NaN, which give the string of a missing value.

    Returns:
        A string.

    Raises:
        ValueError: if the value is a number that is not whole, or a float that is too large to be
            exact.

    Example:

    >>> format_id(7.0), format_id(" a")
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
            "Read the ids as strings, for example with pandas: read_csv(path, dtype=str)."
        )
    return str(int(value))


def check_ids(ids, name, unit="index", positions=None):
    """Checks that no id is missing, including strings like "None" and "nan".

    Args:
        ids: list, array or pandas Series of strings or whole numbers; see `format_id`.
        name: string. The name of the ids in the error message.
        unit: string. The unit of the positions in the error message.
        positions: list. The position of each id. Defaults to its index.

    Returns:
        String array `(ids,)`.

    Raises:
        ValueError: if an id is missing, empty, the string of a missing value, a number that is not
            whole, or has several lines; or if `ids` is a string.

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
            texts = np.array([format_id(each) for each in values], "str")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    lines = (np.char.find(texts, "\n") >= 0) | (np.char.find(texts, "\r") >= 0)
    invalid = np.flatnonzero(np.isin(texts, _MISSING) | lines)
    if len(invalid):
        position = invalid[0] if positions is None else positions[invalid[0]]
        raise ValueError(
            f"{name} must not be missing, but {len(invalid)} of {len(texts)} are, first at {unit} "
            f"{position}: {texts[invalid[0]].item()!r:.80}. Remove these rows."
        )
    return texts


def check_unique_ids(ids, name):
    """Checks that no id is missing or repeated; see `check_ids`.

    Args:
        ids: list, array or pandas Series of strings or whole numbers.
        name: string. The name of the ids in the error message.

    Returns:
        String array `(ids,)`.
    """
    ids = check_ids(ids, name)
    distinct, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        raise ValueError(f"{name} has repeated ids: {', '.join(distinct[counts > 1][:20])}")
    return ids

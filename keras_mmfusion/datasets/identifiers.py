"""Ids of users and items: strings, none of which is missing."""

import numpy as np

# What None, NaN and the like become when they are written as strings.
_MISSING = ("", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT")


def check_ids(ids, name, unit="index", places=None):
    """Checks ids, which must not be missing: no user is called None or nan.

    Args:
        ids: list, array or pandas Series of strings or numbers.
        name: string. What they are, for the error message.
        unit: string. What ids are counted in, for the error message.
        places: list, the number of each id in that unit; its index by default.

    Returns:
        String array `(ids,)`.

    Raises:
        ValueError: if an id is missing, empty, the text of a missing value, or more than one line;
            or if `ids` is a single string.

    Example:

    >>> check_ids([7, "a"], "`users`").tolist()
    ['7', 'a']
    """
    texts = np.asarray(ids, None if isinstance(ids, np.ndarray) else "object")
    is_object = texts.dtype.kind not in "USiu"
    if texts.ndim != 1 or (is_object and any(isinstance(each, (list, dict)) for each in texts)):
        raise ValueError(f"{name} must be a list or array of ids. Received: {ids!r:.80}")
    texts = np.array([str(each) for each in texts], "str") if is_object else texts.astype("str")
    is_wrong = np.isin(np.char.strip(texts), _MISSING) | (np.char.find(texts, "\n") >= 0)
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        place = wrong[0] if places is None else places[wrong[0]]
        raise ValueError(
            f"{name} must not be missing, but {len(wrong)} of {len(texts)} are, first at {unit} "
            f"{place}: {texts[wrong[0]].item()!r:.80}. Leave those rows out first."
        )
    return texts

"""Ids of users and items: strings, none of which is missing."""

import numpy as np

# What None, NaN and the like become when they are written as strings.
_MISSING = ("", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT")


def check_ids(ids, name, lines=None):
    """Checks ids, which must not be missing: no user is called None or nan.

    Args:
        ids: list, array or pandas Series of strings or numbers.
        name: string. What they are, for the error message.
        lines: list of ints, the line of a file that each id is on; `None` for no file.

    Returns:
        String array `(ids,)`.

    Raises:
        ValueError: if an id is missing, empty, the text of a missing value, or more than one line;
            or if `ids` is a single string.

    Example:

    >>> check_ids([7, "a"], "`users`").tolist()
    ['7', 'a']
    """
    if isinstance(ids, (str, bytes)) or np.ndim(ids) != 1:
        raise ValueError(f"{name} must be a list or array of ids. Received: {ids!r:.80}")
    texts = np.asarray(ids)
    if texts.dtype.kind not in "USiu":
        texts = np.array([str(each) for each in np.asarray(ids, "object").tolist()], "str")
    texts = texts.astype("str")
    is_wrong = np.isin(np.char.strip(texts), _MISSING) | (np.char.find(texts, "\n") >= 0)
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        place = f"index {wrong[0]}" if lines is None else f"line {lines[wrong[0]]}"
        raise ValueError(
            f"{name} must not be missing, but {len(wrong)} of {len(texts)} are, first at {place}: "
            f"{texts[wrong[0]].item()!r:.80}. Leave those rows out first."
        )
    return texts

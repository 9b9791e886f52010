"""What a metric compares, checked: nothing missing, and both sides of one type."""

import numbers

import numpy as np

_EXAMPLES = 20


def check_comparable(**values):
    """Checks that values which are to be equal or not could be equal.

    Args:
        **values: argument's name -> iterable of hashable values, such as classes or item ids.

    Raises:
        ValueError: if a value is missing (`None` or NaN), or there are numbers and strings.

    Example:

    >>> check_comparable(labels=[0, 1], predictions=["0", "1"])
    Traceback (most recent call last):
    ValueError: `labels` has numbers, such as 0, and `predictions` has strings, such as '0', ...
    """
    first = None
    for argument, each in values.items():
        each = list(each)
        _check_none_missing(argument, each)
        examples = {}
        for of_type in set(map(type, each)):
            examples.setdefault(_kind(of_type), of_type)
        for kind, of_type in examples.items():
            found = argument, kind, next(value for value in each if type(value) is of_type)
            first = first or found
            if kind != first[1]:
                raise ValueError(
                    f"`{first[0]}` has {first[1]}, such as {first[2]!r}, and `{argument}` has "
                    f"{kind}, such as {found[2]!r}, which never are equal. Convert one of them."
                )


def check_not_nan(**values):
    """Checks that scores are numbers.

    Args:
        **values: argument's name -> array of numbers.

    Raises:
        ValueError: if one is NaN, or is no real number.
    """
    for argument, each in values.items():
        _check_all(argument, ~np.isnan(_as_floats(argument, each)), "NaN")


def check_finite(**values):
    """Checks that scores are finite numbers, of which a mean can be taken.

    Args:
        **values: argument's name -> array of numbers.

    Raises:
        ValueError: if one is NaN or infinite, or is no real number.
    """
    check_not_nan(**values)
    for argument, each in values.items():
        _check_all(argument, np.isfinite(_as_floats(argument, each)), "infinite")


def _as_floats(argument, values):
    values = np.asarray(values)
    try:
        if values.dtype.kind in "biufO":
            return values.astype("float64")
    except (TypeError, ValueError):
        pass  # An array of objects that are no numbers.
    raise ValueError(
        f"`{argument}` must be real numbers. Received: {values.dtype}, such as "
        f"{values.ravel()[:1].tolist()}"
    )


def _check_all(argument, right, fault):
    places = np.argwhere(~right)
    if len(places):
        shown = [place[0] if len(place) == 1 else tuple(place) for place in places.tolist()]
        raise ValueError(
            f"`{argument}` has {len(places)} values that are {fault}, at these positions: "
            f"{shown[:_EXAMPLES]}. Look for what made them, such as a training that diverged."
        )


def _check_none_missing(argument, values):
    missing = [
        place
        for place, value in enumerate(values)
        if value is None or (isinstance(value, (float, np.floating)) and value != value)
    ]
    if missing:
        raise ValueError(
            f"`{argument}` has {len(missing)} missing values (None or NaN), at these positions: "
            f"{missing[:_EXAMPLES]}. Leave these samples out, or repair what made the values."
        )


def _kind(of_type):
    if issubclass(of_type, (numbers.Number, np.bool_)):
        return "numbers"
    return "strings" if issubclass(of_type, str) else f"values of type {of_type.__name__}"

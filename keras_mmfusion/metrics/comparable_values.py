"""Checks the inputs of metrics for missing values and for types that never compare equal."""

import numbers

import numpy as np

_EXAMPLES = 20


def check_comparable(**values):
    """Checks that values have comparable types and none is missing.

    Args:
        **values: argument name -> iterable of hashable values, such as classes or item ids.

    Raises:
        ValueError: if a value is missing (`None` or NaN), or numbers and strings are mixed.

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
        for value_type in set(map(type, each)):
            examples.setdefault(_describe_type(value_type), value_type)
        for kind, value_type in examples.items():
            example = next(value for value in each if type(value) is value_type)
            first = first or (argument, kind, example)
            if kind != first[1]:
                raise ValueError(
                    f"`{first[0]}` has {first[1]}, such as {first[2]!r}, and `{argument}` has "
                    f"{kind}, such as {example!r}, which are never equal. Convert one of them."
                )


def check_not_nan(**values):
    """Checks that scores are real numbers and not NaN.

    Args:
        **values: argument name -> array of numbers.

    Raises:
        ValueError: if a value is NaN or not a real number.
    """
    for argument, each in values.items():
        _check_all(argument, ~np.isnan(_as_floats(argument, each)), "NaN")


def check_finite(**values):
    """Checks that scores are finite real numbers.

    Args:
        **values: argument name -> array of numbers.

    Raises:
        ValueError: if a value is NaN, infinite or not a real number.
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
        pass  # An object array with values that are not numbers.
    raise ValueError(
        f"`{argument}` must be real numbers. Received: {values.dtype}, such as "
        f"{values.ravel()[:1].tolist()}"
    )


def _check_all(argument, is_valid, problem):
    indices = np.argwhere(~is_valid)
    if len(indices):
        shown = [index[0] if len(index) == 1 else tuple(index) for index in indices.tolist()]
        raise ValueError(
            f"`{argument}` has {len(indices)} values that are {problem}, at these positions: "
            f"{shown[:_EXAMPLES]}. Find out where they come from, such as diverged training."
        )


def _check_none_missing(argument, values):
    missing = [
        index
        for index, value in enumerate(values)
        if value is None or (isinstance(value, (float, np.floating)) and value != value)
    ]
    if missing:
        raise ValueError(
            f"`{argument}` has {len(missing)} missing values (None or NaN), at these positions: "
            f"{missing[:_EXAMPLES]}. Remove these samples, or correct their values."
        )


def _describe_type(value_type):
    if issubclass(value_type, (numbers.Number, np.bool_)):
        return "numbers"
    return "strings" if issubclass(value_type, str) else f"values of type {value_type.__name__}"

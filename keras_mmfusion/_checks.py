"""Checks of arguments. They use no Keras.

Each error names the argument and the value received. `caller`, if it is given, comes first in the
message: the name of a function or class, or the layer or function itself.
"""

import math
import numbers


def check_integer(caller, name, value, minimum=1, maximum=None):
    """Returns `value` as an int if it is an integer in a range.

    Args:
        caller: string, layer, function or `None`.
        name: string. The argument's name.
        value: the argument.
        minimum, maximum: ints. The range, inclusive. `maximum` may be `None`.

    Raises:
        ValueError: if it is not. Booleans and floats are not integers; NumPy integers are.

    Example:

    >>> check_integer("train", "epochs", 0)
    Traceback (most recent call last):
    ...
    ValueError: train: `epochs` must be a positive integer. Received: 0
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < minimum or (maximum is not None and value > maximum):
        expected = "a positive integer" if minimum == 1 else f"an integer of at least {minimum}"
        if maximum is not None:
            expected = f"an integer from {minimum} to {maximum}"
        raise ValueError(_message(caller, name, expected, value))
    return int(value)


def check_number(caller, name, value, minimum, maximum):
    """Returns `value` as a float if it is a number in a range, inclusive; see `check_integer`."""
    if not (_is_number(value) and minimum <= value <= maximum):
        raise ValueError(_message(caller, name, f"a number from {minimum:g} to {maximum:g}", value))
    return float(value)


def check_positive(caller, name, value):
    """Returns `value` as a float if it is a finite number above 0; see `check_integer`."""
    if not (_is_number(value) and 0 < value < math.inf):
        raise ValueError(_message(caller, name, "a positive number", value))
    return float(value)


def check_non_negative(caller, name, value):
    """Returns `value` as a float if it is a finite number of at least 0; see `check_integer`."""
    if not (_is_number(value) and 0 <= value < math.inf):
        raise ValueError(_message(caller, name, "a number of at least 0", value))
    return float(value)


def check_fraction(caller, name, value):
    """Returns `value` if it is a number in [0, 1), such as a dropout rate; see `check_integer`."""
    if not (_is_number(value) and 0 <= value < 1):
        raise ValueError(_message(caller, name, "in [0, 1)", value))
    return value


def check_proportion(caller, name, value):
    """Returns `value` if it is a number in (0, 1), such as a confidence; see `check_integer`."""
    if not (_is_number(value) and 0 < value < 1):
        raise ValueError(_message(caller, name, "between 0 and 1, exclusive", value))
    return value


def check_choice(caller, name, value, choices):
    """Returns `value` if it is one of `choices`; see `check_integer`."""
    if value not in choices:
        raise ValueError(_message(caller, name, f"one of {', '.join(map(repr, choices))}", value))
    return value


def check_divisor(caller, name, value, dividend_name, dividend):
    """Raises an error if `value` does not divide another argument; see `check_integer`.

    Example:

    >>> check_divisor("Attention", "num_heads", 3, "dim", 8)
    Traceback (most recent call last):
    ...
    ValueError: Attention: `num_heads` must divide `dim`. Received: dim=8, num_heads=3
    """
    if dividend % value:
        raise ValueError(
            f"{_name_caller(caller)}: `{name}` must divide `{dividend_name}`. Received: "
            f"{dividend_name}={dividend}, {name}={value}"
        )


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _message(caller, name, expected, value):
    prefix = f"{_name_caller(caller)}: " if caller is not None else ""
    return f"{prefix}`{name}` must be {expected}. Received: {value!r}"


def _name_caller(caller):
    if isinstance(caller, str):
        return caller
    return getattr(caller, "__name__", None) or type(caller).__name__

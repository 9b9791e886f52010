"""Checks of the settings of recipes, without Keras."""

import math


def check_integers(settings, least):
    """Raises an error unless settings are integers and large enough.

    Args:
        settings: object with the settings as attributes.
        least: dict, name -> the smallest value that it may have.

    Raises:
        ValueError: that names the setting, what it may be and what it is.

    Example:

    >>> from types import SimpleNamespace
    >>> check_integers(SimpleNamespace(epochs=0), {"epochs": 1})
    Traceback (most recent call last):
    ...
    ValueError: `epochs` must be an integer from 1 on. Received: 0
    """
    for name, smallest in least.items():
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise ValueError(f"`{name}` must be an integer from {smallest} on. Received: {value!r}")


def check_fractions(settings, *names):
    """Raises an error unless settings are numbers in [0, 1)."""
    for name in names:
        _check_number(settings, name, "in [0, 1)", lambda value: 0 <= value < 1)


def check_positive(settings, *names):
    """Raises an error unless settings are finite numbers above 0."""
    for name in names:
        _check_number(settings, name, "a number above 0", lambda value: 0 < value < math.inf)


def check_not_negative(settings, *names):
    """Raises an error unless settings are finite numbers from 0 on."""
    for name in names:
        _check_number(settings, name, "a number from 0 on", lambda value: 0 <= value < math.inf)


def check_one_of(settings, name, choices):
    """Raises an error unless a setting is one of some values."""
    value = getattr(settings, name)
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(str, choices))}. Received: {value!r}"
        )


def _check_number(settings, name, wanted, is_fit):
    value = getattr(settings, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_fit(value):
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")

"""Checks of the settings of recipes, which are attributes of an object."""

from keras_mmfusion._checks import (
    check_choice,
    check_fraction,
    check_integer,
    check_non_negative,
    check_positive,
)


def check_integers(settings, minimums):
    """Checks settings by `check_integer`.

    Args:
        settings: object with the settings as attributes.
        minimums: dict, name -> the smallest value.
    """
    for name, minimum in minimums.items():
        check_integer(None, name, getattr(settings, name), minimum)


def check_fractions(settings, *names):
    """Checks settings by `check_fraction`."""
    for name in names:
        check_fraction(None, name, getattr(settings, name))


def check_positives(settings, *names):
    """Checks settings by `check_positive`."""
    for name in names:
        check_positive(None, name, getattr(settings, name))


def check_non_negatives(settings, *names):
    """Checks settings by `check_non_negative`."""
    for name in names:
        check_non_negative(None, name, getattr(settings, name))


def check_one_of(settings, name, choices):
    """Checks a setting by `check_choice`."""
    check_choice(None, name, getattr(settings, name), choices)

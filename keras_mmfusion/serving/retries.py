"""Retries calls after transient errors, within a deadline."""

import time

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.serving.serving_error import ServingError

FIRST_WAIT = 0.1  # Seconds; doubled after each attempt.


def call_with_retries(call, timeout, retries):
    """Calls a function until it succeeds, with at most `retries` retries and within the timeout.

    Predictions do not change the server, so requests can be repeated.

    Args:
        call: function of the remaining seconds. Raises `ServingError`.
        timeout: float. Seconds for all attempts and the waits between them.
        retries: int.

    Returns:
        The result of `call`.
    """
    deadline = time.monotonic() + timeout
    for attempt in range(retries + 1):
        try:
            return call(deadline - time.monotonic())
        except ServingError as error:
            wait = FIRST_WAIT * 2**attempt
            is_too_late = time.monotonic() + wait >= deadline
            if attempt == retries or is_too_late or not error.is_transient:
                raise
            time.sleep(wait)


def check_settings(timeout, retries, version, label):
    """Raises a `ValueError` for invalid settings of a client."""
    if version is not None and label is not None:
        raise ValueError(
            "Pass either `version` or `label`, not both. "
            f"Received: version={version}, label={label!r}"
        )
    check_positive(None, "timeout", timeout)
    check_integer(None, "retries", retries, minimum=0)

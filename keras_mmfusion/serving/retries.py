"""Calls that may fail for a moment, within one deadline."""

import time

from keras_mmfusion.serving.serving_error import ServingError

FIRST_WAIT = 0.1  # seconds, doubled each time


def call_with_retries(call, timeout, retries):
    """Calls until it succeeds, at most `retries` times more, never beyond the timeout.

    Prediction changes nothing on the server, so a request may be sent again.

    Args:
        call: function of the seconds that are left. Raises `ServingError`.
        timeout: float. Seconds for everything, the waits between calls included.
        retries: int.

    Returns:
        What `call` returns.
    """
    deadline = time.monotonic() + timeout
    for attempt in range(retries + 1):
        try:
            return call(deadline - time.monotonic())
        except ServingError as error:
            wait = FIRST_WAIT * 2**attempt
            out_of_time = time.monotonic() + wait >= deadline
            if attempt == retries or out_of_time or not error.is_passing:
                raise
            time.sleep(wait)


def check_settings(timeout, retries, version, label):
    """Raises `ValueError` for settings that no call could work with."""
    if version is not None and label is not None:
        raise ValueError(
            f"Give `version` or `label`, not both. Received: version={version}, label={label!r}"
        )
    if not timeout > 0:
        raise ValueError(f"`timeout` must be a number of seconds above 0. Received: {timeout!r}")
    if int(retries) != retries or retries < 0:
        raise ValueError(f"`retries` must be an integer >= 0. Received: {retries!r}")

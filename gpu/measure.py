"""Time and memory of a function on the device, and its checks."""

import statistics
import time

import numpy as np


def measure(run, synchronize, seconds, items=None):
    """Times a function after two calls that do not count.

    Args:
        run: function without arguments; starts work on the device and returns tensors.
        synchronize: function of what `run` returned, which waits for the device.
        seconds: float. The least time of all timed calls together.
        items: int or `None`. What a call works on, for a throughput.

    Returns:
        A dict.
    """
    for _ in range(2):
        synchronize(run())
    times, total = [], 0.0
    while total < seconds or len(times) < 3:
        begin = time.perf_counter()
        synchronize(run())
        times.append(time.perf_counter() - begin)
        total += times[-1]
    median = statistics.median(times)
    found = {"seconds": median, "calls": len(times)}
    if items is not None:
        found["items_a_second"] = items / median
    return found


def check_finite(values):
    """Raises if a result is not finite, such as a loss."""
    for value in values:
        if not np.isfinite(np.asarray(value, "float64")).all():
            raise ValueError("The result is not finite.")


def check_captions(ids, pad, end):
    """Raises unless every caption has a word."""
    words = (ids != pad) & (ids != end)
    if not words.reshape(-1, ids.shape[-1]).any(axis=-1).all():
        raise ValueError("A caption is empty.")

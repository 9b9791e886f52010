"""Measures the time and memory of a function on the device, and checks its results."""

import statistics
import time

import numpy as np


def measure(run, synchronize, seconds, items=None):
    """Times a function after two warm-up calls.

    Args:
        run: function without arguments; starts work on the device and returns tensors.
        synchronize: function of the result of `run` that waits for the device.
        seconds: float. The minimum total time of the timed calls.
        items: int or `None`. The items that a call processes, for the throughput.

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
    result = {"seconds": median, "calls": len(times)}
    if items is not None:
        result["items_a_second"] = items / median
    return result


def check_finite(values):
    """Raises an error if a result, such as a loss, is not finite."""
    for value in values:
        if not np.isfinite(np.asarray(value, "float64")).all():
            raise ValueError("The result is not finite.")


def check_captions(ids, pad, end):
    """Raises an error if a caption has no words."""
    words = (ids != pad) & (ids != end)
    if not words.reshape(-1, ids.shape[-1]).any(axis=-1).all():
        raise ValueError("A caption is empty.")

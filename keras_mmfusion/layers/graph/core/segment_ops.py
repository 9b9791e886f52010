"""Gathering of rows by index, and sums and maxima of rows by segment."""

import math

import keras
from keras import ops


def gather(x, index):
    """Returns row `index[e]` of `x` for each `e`."""
    if keras.config.backend() == "torch":
        # `ops.take` handles negative indices first, in two more passes over all edges.
        return x.index_select(0, index.long())
    return ops.take(x, index, axis=0)


def segment_sum(x, index, size):
    """Sums the rows of `x` with `index[e] == i` for each `i < size`, at least in float32.

    Large sums of 16-bit numbers lose whole terms.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    wide = ops.cast(x, "float32") if dtype in ("float16", "bfloat16") else x
    if keras.config.backend() == "torch":
        # `ops.segment_sum` repeats each index for each column, in 64 bits.
        total = wide.new_zeros((size, *wide.shape[1:])).index_add(0, index.long(), wide)
    else:
        total = ops.segment_sum(wide, index, num_segments=size)
    return ops.cast(total, dtype)


def segment_max(x, index, size):
    """Returns the maximum of the rows with `index[e] == i` for each `i < size`; no gradient.

    An empty segment gives `-inf` or the dtype's minimum, depending on the backend.
    """
    x = ops.stop_gradient(x)
    if keras.config.backend() == "torch":
        # `ops.segment_max` treats a size of 0 as unspecified.
        index = index.long().reshape(-1, *[1] * (x.ndim - 1)).expand_as(x)
        return x.new_full((size, *x.shape[1:]), -math.inf).scatter_reduce(0, index, x, "amax")
    return ops.segment_max(x, index, num_segments=size)

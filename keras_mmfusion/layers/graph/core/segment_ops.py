"""Rows gathered by index, and sums and maxima of rows by index: where messages travel."""

import math

import keras
from keras import ops


def gather(x, index):
    """Row `index[e]` of `x` for each `e`."""
    if keras.config.backend() == "torch":
        # `ops.take` looks for negative indices first, in two more passes over all edges.
        return x.index_select(0, index.long())
    return ops.take(x, index, axis=0)


def segment_sum(x, index, size):
    """For each `i < size` the sum of the rows `e` of `x` with `index[e] == i`, in float32 at least.

    Sums of 16-bit numbers lose whole rows once they are large.
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
    """For each `i < size` the largest of the rows `e` with `index[e] == i`; no gradient.

    Where there is none, it is `-inf` or the lowest number, by backend.
    """
    x = ops.stop_gradient(x)
    if keras.config.backend() == "torch":
        # `ops.segment_max` takes a size of 0 for none given.
        index = index.long().reshape(-1, *[1] * (x.ndim - 1)).expand_as(x)
        return x.new_full((size, *x.shape[1:]), -math.inf).scatter_reduce(0, index, x, "amax")
    return ops.segment_max(x, index, num_segments=size)

"""Pickles of arrays and matrices, read without running anything that a pickle can name.

A pickle says which functions to call, and so may do whatever Python can. This reader knows the few
names by which NumPy, SciPy and Python 2 wrote arrays, sparse matrices and dicts of lists, and even
for those it calls stand-ins of its own, which only keep what they are given. Neither NumPy's nor
SciPy's unpickling runs; every array is built from its bytes after they were checked.
"""

import collections
import math
import pickle

import numpy as np

# Numbers only: an array of objects would be of whatever the pickle likes.
NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"}


class _DType:
    """What `numpy.dtype(code)` was called with, and its byte order."""

    def __init__(self, code, *flags):
        self.code, self.order = code, "<"

    def __setstate__(self, state):
        self.order = state[1]

    def to_dtype(self):
        if self.code not in NUMBERS or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of {self.code!r}, which are no numbers")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """What `ndarray.__setstate__` was called with."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self):
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        dtype, shape = self.dtype.to_dtype(), tuple(self.shape)
        if any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"an array of the shape {shape}")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of {len(data)} bytes, which are not {shape} of {dtype}")
        values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
        return values.reshape(shape, order="F" if self.is_fortran else "C")


class _SparseMatrix:
    """The attributes of a `csr_matrix`."""

    def __setstate__(self, state):
        self.state = dict(state)

    def to_array(self):
        rows, columns = shape = self.state.get("_shape", self.state.get("shape"))
        values, indices, starts = (self.state[key] for key in ("data", "indices", "indptr"))
        values, indices, starts = (array.to_array() for array in (values, indices, starts))
        if any(array.ndim != 1 for array in (values, indices, starts)) or (
            starts.shape != (rows + 1,)
            or starts[0] != 0
            or np.any(np.diff(starts) < 0)
            or not starts[-1] == len(indices) == len(values)
            or np.any((indices < 0) | (indices >= columns))
        ):
            raise ValueError(f"a sparse matrix whose parts do not fit the shape {shape}")
        dense = np.zeros(shape, values.dtype)
        # Entries that stand there twice add up, as SciPy has it.
        np.add.at(dense, (np.repeat(np.arange(rows), np.diff(starts)), indices), values)
        return dense


def _reconstruct(array_class, shape, code):
    """In place of NumPy's function, which makes an array that its state then fills."""
    return _Array()


NAMES = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("scipy.sparse.csr", "csr_matrix"): _SparseMatrix,
    ("scipy.sparse._csr", "csr_matrix"): _SparseMatrix,
    ("collections", "defaultdict"): collections.defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in data")
        return NAMES[module, name]


def read_array_pickle(path):
    """Reads a pickled NumPy array, SciPy CSR matrix or dict, and nothing else.

    Args:
        path: path. Written by Python 2 or 3.

    Returns:
        A NumPy array of numbers, dense if it was sparse; or what plain dicts, lists, strings and
        numbers the pickle has.

    Raises:
        ValueError: if the file is no such pickle, or names anything else, such as a function.
    """
    try:
        with open(path, "rb") as file:
            value = _Unpickler(file, encoding="latin1").load()
        return value.to_array() if isinstance(value, _Array | _SparseMatrix) else value
    except OSError:
        raise
    except Exception as error:  # A wrong pickle can raise anything.
        raise ValueError(f"{path} is no pickle of arrays: {error}") from error

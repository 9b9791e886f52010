"""Pickles of arrays and matrices, read without running anything that a pickle can name.

A pickle says which functions to call, and so may do whatever Python can. This reader knows the few
names by which NumPy, SciPy and Python 2 wrote arrays, sparse matrices and dicts of lists, and even
for those it calls stand-ins of its own, which only keep what they are given. Neither NumPy's nor
SciPy's unpickling runs; every array is built from its bytes after they were checked.

Arrays are of numbers or strings. An array of objects is read if these are strings or numbers.
"""

import collections
import math
import pickle
import re

import numpy as np

NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"}
STRINGS = re.compile("[SU][1-9][0-9]*")
OBJECTS = {"O", "O8"}


class _DType:
    """What `numpy.dtype(code)` was called with, and its byte order."""

    def __init__(self, code, *flags):
        self.code, self.order = code, "<"

    def __setstate__(self, state):
        self.order = state[1]

    def to_dtype(self):
        known = self.code in NUMBERS or STRINGS.fullmatch(self.code)
        if not known or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of {self.code!r}, which are neither numbers nor strings")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """What `ndarray.__setstate__` was called with."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self):
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        shape = tuple(self.shape)
        if any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"an array of the shape {shape}")
        if self.dtype.code in OBJECTS:
            return _array_of_objects(data, shape)
        dtype = self.dtype.to_dtype()
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of {len(data)} bytes, which are not {shape} of {dtype}")
        # Not copied if the bytes are in this machine's order: the files may be of gigabytes.
        values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
        return values.reshape(shape, order="F" if self.is_fortran else "C")


def _array_of_objects(values, shape):
    """An array of strings or of numbers; no object is kept."""
    values = [x.to_array()[()] if isinstance(x, _Scalar) else x for x in values]
    kinds = {str: str, np.str_: str, bytes: bytes, int: float, float: float}
    found = {kinds.get(type(x), float if isinstance(x, np.number) else None) for x in values}
    if len(found) > 1 or None in found or len(values) != math.prod(shape):
        raise ValueError("an array of objects, which are neither strings nor numbers")
    return np.array(values, *found).reshape(shape)


class _Scalar:
    """What `numpy.core.multiarray.scalar` was called with."""

    def __init__(self, dtype, data):
        self.array = _Array()
        self.array.__setstate__((1, (), dtype, False, data))

    def to_array(self):
        return self.array.to_array()


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


def _from_buffer(data, dtype, shape, order):
    """In place of NumPy's function, which makes an array of protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", bytes(data)))
    return array


def _encode(text, encoding):
    """In place of the function by which Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


NAMES = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
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


def _with_arrays(value, done):
    """Puts arrays in place of their stand-ins, in dicts and lists too, each of them once."""
    if id(value) in done:
        return done[id(value)][1]
    if isinstance(value, _Array | _SparseMatrix | _Scalar):
        result = value.to_array()
        # The stand-in is kept too: an id is free again after its object is gone.
        done[id(value)] = value, result
        return result
    if isinstance(value, dict | list):
        done[id(value)] = value, value
        for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
            value[key] = _with_arrays(part, done)
    return value


def read_array_pickle(path):
    """Reads a pickled NumPy array, SciPy CSR matrix, or dicts and lists of them; nothing else.

    Args:
        path: path. Written by Python 2 or 3.

    Returns:
        A NumPy array of numbers or strings, dense if it was sparse, which may be read only; or
        what plain dicts, lists, strings, numbers and such arrays the pickle has.

    Raises:
        ValueError: if the file is no such pickle, or names anything else, such as a function.
    """
    try:
        with open(path, "rb") as file:
            return _with_arrays(_Unpickler(file, encoding="latin1").load(), {})
    except OSError:
        raise
    except Exception as error:  # A wrong pickle can raise anything.
        raise ValueError(f"{path} is no pickle of arrays: {error}") from error

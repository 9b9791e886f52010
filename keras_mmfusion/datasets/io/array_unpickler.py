"""Reads pickled arrays and matrices without executing code from the pickle.

A pickle names the functions to call, so unpickling can execute arbitrary code. This reader accepts
only the names that NumPy, SciPy and Python 2 use for arrays, sparse matrices and dicts of lists,
and replaces them by placeholders that store their arguments. NumPy's and SciPy's own unpickling is
never called; each array is built from its bytes after validation.

Arrays must hold numbers or strings. Object arrays are read if all objects are numbers or strings.
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
    """Placeholder for `numpy.dtype`: stores the type code and byte order."""

    def __init__(self, code, *flags):
        self.code, self.order = code, "<"

    def __setstate__(self, state):
        self.order = state[1]

    def to_dtype(self):
        known = self.code in NUMBERS or STRINGS.fullmatch(self.code)
        if not known or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"the array dtype {self.code!r} is neither numeric nor a string")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """Placeholder for `numpy.ndarray`: stores the arguments of `__setstate__`."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self):
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        shape = tuple(self.shape)
        if any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"the array shape {shape} is invalid")
        if self.dtype.code in OBJECTS:
            return _convert_objects(data, shape)
        dtype = self.dtype.to_dtype()
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"{len(data)} bytes do not match the array {dtype} {shape}")
        # Bytes in native order are not copied, because the files can have gigabytes.
        values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
        return values.reshape(shape, order="F" if self.is_fortran else "C")


def _convert_objects(values, shape):
    """Converts the values of an object array to an array of strings or numbers."""
    values = [x.to_array()[()] if isinstance(x, _Scalar) else x for x in values]
    kinds = {str: str, np.str_: str, bytes: bytes, int: float, float: float}
    dtypes = {kinds.get(type(x), float if isinstance(x, np.number) else None) for x in values}
    if len(dtypes) > 1 or None in dtypes or len(values) != math.prod(shape):
        raise ValueError("an object array must contain only strings or only numbers")
    return np.array(values, *dtypes).reshape(shape)


class _Scalar:
    """Placeholder for `numpy.core.multiarray.scalar`."""

    def __init__(self, dtype, data):
        self.array = _Array()
        self.array.__setstate__((1, (), dtype, False, data))

    def to_array(self):
        return self.array.to_array()


class _SparseMatrix:
    """Placeholder for `scipy.sparse.csr_matrix`: stores its attributes."""

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
            raise ValueError(f"the arrays of a sparse matrix do not match its shape {shape}")
        dense = np.zeros(shape, values.dtype)
        # Duplicate entries are summed, as in SciPy.
        np.add.at(dense, (np.repeat(np.arange(rows), np.diff(starts)), indices), values)
        return dense


def _reconstruct(array_class, shape, code):
    """Replaces NumPy's function that creates an array to be filled by `__setstate__`."""
    return _Array()


def _from_buffer(data, dtype, shape, order):
    """Replaces NumPy's function that creates an array in pickle protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", bytes(data)))
    return array


def _encode(text, encoding):
    """Replaces `codecs.encode`, by which Python 3 pickles bytes for Python 2."""
    if encoding != "latin1":
        raise ValueError(f"bytes must be encoded as 'latin1', not {encoding!r}")
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
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not allowed")
        return NAMES[module, name]


def _replace_placeholders(value, converted):
    """Replaces placeholders by arrays, also in dicts and lists, each placeholder once."""
    if id(value) in converted:
        return converted[id(value)][1]
    if isinstance(value, _Array | _SparseMatrix | _Scalar):
        result = value.to_array()
        # Keep the placeholder, since the id of a deleted object can be reused.
        converted[id(value)] = value, result
        return result
    if isinstance(value, dict | list):
        converted[id(value)] = value, value
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            value[key] = _replace_placeholders(item, converted)
    return value


def read_array_pickle(path):
    """Reads a pickle of NumPy arrays, SciPy CSR matrices, and dicts and lists of them.

    Args:
        path: string or path of a pickle written by Python 2 or 3.

    Returns:
        The content of the pickle: dicts, lists, strings, numbers and NumPy arrays of numbers or
        strings. Sparse matrices are converted to dense arrays. Arrays may be read-only.

    Raises:
        ValueError: if the file is not such a pickle, or refers to anything else, such as a
            function.
    """
    try:
        with open(path, "rb") as file:
            return _replace_placeholders(_Unpickler(file, encoding="latin1").load(), {})
    except OSError:
        raise
    except Exception as error:  # An invalid pickle can raise any exception.
        raise ValueError(f"{path} is not a pickle of arrays: {error}") from error

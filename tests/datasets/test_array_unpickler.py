"""Supported contents of pickles, and protection against code execution."""

import builtins
import os
import pickle
import subprocess

import numpy as np
import pytest
from datasets.planetoid_files import pickle_array, pickle_graph, pickle_matrix, pickle_parts

from keras_mmfusion.datasets.io.array_unpickler import read_array_pickle

MATRIX = np.array([[0, 2, 0], [0, 0, 0], [1, 0, 3]], "float32")


def read(tmp_path, content):
    path = tmp_path / "array.pickle"
    path.write_bytes(content)
    return read_array_pickle(path)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "uint8"])
def test_reads_arrays_pickled_by_python_2(tmp_path, dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    result = read(tmp_path, pickle_array(array))
    np.testing.assert_array_equal(result, array)
    assert result.dtype == dtype


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("array", [MATRIX, np.asfortranarray(MATRIX), MATRIX.astype(">f8")])
def test_reads_arrays_pickled_by_python_3(tmp_path, protocol, array):
    np.testing.assert_array_equal(read(tmp_path, pickle.dumps(array, protocol)), array)


def test_reads_sparse_matrices_pickled_by_python_2(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, pickle_matrix(MATRIX)), MATRIX)


def test_reads_matrices_pickled_by_scipy(tmp_path):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    content = pickle.dumps(sparse.csr_matrix(MATRIX), protocol=4)
    np.testing.assert_array_equal(read(tmp_path, content), MATRIX)


def test_reads_dicts_of_lists(tmp_path):
    assert read(tmp_path, pickle_graph({0: [1, 2], 1: [], 2: [0]})) == {0: [1, 2], 1: [], 2: [0]}


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch called",)),
        (subprocess.run, (["touch", "called"],)),
        (eval, ("open('called', 'w')",)),
        (open, ("called", "w")),
        (getattr, (os, "system")),
        (np.save, ("called.npy", 1)),
        (np.memmap, ("called", "uint8", "w+", 0, 1)),
        (builtins.bytearray, (10,)),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_functions_in_pickles_are_not_called(tmp_path, monkeypatch, function, arguments, protocol):
    monkeypatch.chdir(tmp_path)
    if function is getattr:
        content = b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch called'\ntR."
    else:
        content = pickle.dumps(Call(function, *arguments), protocol)
    with pytest.raises(ValueError, match="is not a pickle of arrays: it refers to .*not allowed"):
        read(tmp_path, content)
    assert not list(tmp_path.glob("called*"))


def test_attributes_of_allowed_names_are_not_resolved(tmp_path):
    for content in (
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x15ndarray.__reduce_ex__\x93.",
        b"\x80\x04\x8c\x0bcollections\x8c\x17defaultdict.__class__.x\x93.",
    ):
        with pytest.raises(ValueError, match="which is not allowed"):
            read(tmp_path, content)


def test_no_memory_is_allocated_for_false_shapes(tmp_path):
    array = pickle_array(np.zeros((2, 3), "float32"))
    for shape, message in (
        (b"(I2\nI3000000000\nt", r"24 bytes do not match the array float32 \(2, 3000000000\)"),
        (b"(I-2\nI-3\nt", r"the array shape \(-2, -3\) is invalid"),
        (b"(I2\nF3.0\nt", r"the array shape \(2, 3.0\) is invalid"),
    ):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, array.replace(b"(I2\nI3\nt", shape))
    # The shape passed to `_reconstruct` is not allocated either.
    huge = array.replace(b"(I0\ntS'b'", b"(I9000000000000000\ntS'b'")
    assert read(tmp_path, huge).shape == (2, 3)


@pytest.mark.parametrize("code", ["V8", "M8", "x", "f16", "U", "U4,O8", "O16"])
def test_other_array_dtypes_are_rejected(tmp_path, code):
    content = pickle_array(np.zeros(2, "float64")).replace(b"S'f8'", f"S'{code}'".encode())
    with pytest.raises(ValueError, match="is neither numeric nor a string"):
        read(tmp_path, content)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_reads_nested_arrays_of_strings_and_numbers(tmp_path, protocol):
    arrays = [
        np.array(["a", "größer", ""]),
        np.array([b"\xff", b"bc"]),
        np.array([["a", "b"]], object),
        np.array([1, np.float32(2.5)], object),
        MATRIX[:, 1:],
        np.float32(1.5),
    ]
    content = {"some": arrays, "same": arrays, "shared": arrays[0], "words": [b"\xff", "ü"]}
    result = read(tmp_path, pickle.dumps(content, protocol))
    assert result["words"] == [b"\xff", "ü"]
    for array, value in zip(arrays, result["some"], strict=True):
        assert isinstance(value, np.ndarray)
        assert value.dtype.kind != "O"
        np.testing.assert_array_equal(value, array)
    # Shared objects stay shared, so that a small file does not need much memory.
    assert result["same"] is result["some"]
    assert result["shared"] is result["some"][0]


@pytest.mark.parametrize("values", [[{}], [None, 1], ["a", 1], [MATRIX, MATRIX]])
def test_arrays_of_other_objects_are_rejected(tmp_path, values):
    array = np.empty(len(values), object)
    array[:] = values
    with pytest.raises(ValueError, match="must contain only strings or only numbers"):
        read(tmp_path, pickle.dumps({"array": array}, 4))


def test_reads_recursive_lists(tmp_path):
    values = [MATRIX]
    values.append(values)
    result = read(tmp_path, pickle.dumps(values, 4))
    assert result[1] is result
    np.testing.assert_array_equal(result[0], MATRIX)


def test_other_encodings_of_bytes_are_rejected(tmp_path):
    with pytest.raises(ValueError, match="must be encoded as 'latin1', not 'rot13'"):
        read(tmp_path, b"c_codecs\nencode\n(Vabc\nVrot13\ntR.")


@pytest.mark.parametrize(
    "changes",
    [
        {"indices": np.array([1, 0, 3], "int32")},
        {"indices": np.array([1, 0, -1], "int32")},
        {"indptr": np.array([0, 1, 1, 4], "int32")},
        {"indptr": np.array([0, 2, 1, 3], "int32")},
        {"indptr": np.array([0, 1, 3], "int32")},
        {"indptr": np.array([1, 1, 1, 3], "int32")},
        {"data": np.ones(2, "float32")},
        {"data": np.ones((3, 1), "float32")},
    ],
)
def test_inconsistent_sparse_matrices_are_rejected(tmp_path, changes):
    parts = {
        "data": np.ones(3, "float32"),
        "indices": np.array([1, 0, 2], "int32"),
        "indptr": np.array([0, 1, 1, 3], "int32"),
    }
    assert read(tmp_path, pickle_parts((3, 3), parts)).sum() == 3
    with pytest.raises(ValueError, match="arrays of a sparse matrix do not match its shape"):
        read(tmp_path, pickle_parts((3, 3), {**parts, **changes}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        pickle_array(MATRIX)[:-20],
        b"I1\nI2\nb.",
        b"S'a name'\nQ.",  # A persistent id.
        b"\x80\x02cscipy.sparse.csr\ncsr_matrix\n)\x81.",  # No state.
        b"\x80\x02cnumpy\nndarray\n)\x81(I1\ntb.",  # A state of another kind.
    ],
)
def test_invalid_pickles_are_rejected(tmp_path, content):
    with pytest.raises(ValueError, match="is not a pickle of arrays"):
        read(tmp_path, content)


def test_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_array_pickle(tmp_path / "nothing")

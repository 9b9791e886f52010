import json

import ml_dtypes
import numpy as np
import pytest
from checkpoint_files import pack_header, pack_safetensors

from keras_mmfusion.checkpoints.safetensors_file import SafetensorsFile

ARRAYS = {
    "a": np.arange(6, dtype="float32").reshape(2, 3),
    "b": np.arange(4, dtype="float16"),
    "c": np.arange(3).astype(ml_dtypes.bfloat16).reshape(3, 1),
    "scalar": np.array(2.5, "float32"),
    "empty": np.zeros((0, 4), "float32"),
    "ids": np.arange(5),
}


def open_bytes(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    return SafetensorsFile(path)


def test_tensors_are_read_with_dtype_and_shape(tmp_path):
    file = open_bytes(tmp_path, pack_safetensors(ARRAYS, {"format": "pt"}))
    assert list(file) == list(ARRAYS)
    assert len(file) == 6
    assert file.metadata == {"format": "pt"}
    for name, array in ARRAYS.items():
        assert file.shapes[name] == array.shape
        assert file[name].dtype == array.dtype
        np.testing.assert_array_equal(file[name], array)
    with pytest.raises(KeyError):
        file["d"]


def test_padded_headers_are_valid(tmp_path):
    header = b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   '
    assert open_bytes(tmp_path, pack_header(header, b"\7"))["x"].tolist() == [7]


def test_a_header_may_have_the_length_that_starts_gzip_files(tmp_path):
    header = b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(0x8B1F)
    assert open_bytes(tmp_path, pack_header(header, b"\7"))["x"].tolist() == [7]


def entry(**changes):
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes
    return json.dumps({"x": entry}).encode()


DATA = b"\0" * 8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "only 0 bytes"),
        (b"\1\0\0", "only 3 bytes"),
        (b"PK\3\4" + DATA, "ZIP"),
        (b"version https://git-lfs.github.com", "git lfs pull"),
        (b"<html><body>", "web page"),
        (b"\x93NUMPY\1\0" + DATA, "NumPy"),
        (b"\xff" * 8 + b"{}", "header of 18,446,744,073,709,551,615 bytes"),
        ((50).to_bytes(8, "little") + b"{}", "header of 50 bytes exceeds the file of 10 bytes"),
        (pack_header(b"\x80\x04pickle"), "not valid JSON"),
        (pack_header(b"[" * 100_000), "not valid JSON"),
        (pack_header(b"[1, 2]"), "not a JSON object"),
        (pack_header(b'  {"x": 1}'), "not a JSON object"),
        (pack_header(b'{"x": 1, "x": 2}'), "'x' is repeated"),
        (pack_header(b'{"__metadata__": {"a": 1}}'), "object of strings"),
        (pack_header(b'{"x": 1}'), "must have a dtype"),
        (pack_header(entry(extra=1), DATA), "must have a dtype"),
        (pack_header(entry(dtype="F8_E4M3"), DATA), "dtype 'F8_E4M3'; supported are F64"),
        (pack_header(entry(dtype=[]), DATA), r"dtype \[\]"),
        (pack_header(entry(shape=[-2]), DATA), r"shape \[-2\]"),
        (pack_header(entry(shape=[True, 2]), DATA), r"shape \[True, 2\]"),
        (pack_header(entry(shape=[2**62]), DATA), "shape"),
        (pack_header(entry(shape=[3]), DATA), "needs 12 bytes, not 8"),
        (pack_header(entry(data_offsets=[0]), DATA), "data_offsets"),
        (pack_header(entry(data_offsets=[8, 0]), DATA), "needs 8 bytes, not -8"),
        (pack_header(entry(data_offsets=[8, 16]), DATA * 2), "starts at 8 instead of 0"),
        (pack_header(entry(), DATA[:-1]), "truncated"),
        (pack_header(entry(), DATA + b"\0"), "longer than its header says"),
    ],
)
def test_invalid_files_raise_an_error(content, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        open_bytes(tmp_path, content)
    assert "model.safetensors" in str(error.value)


def test_overlapping_tensors_raise_an_error(tmp_path):
    header = json.loads(entry()) | {"y": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}
    with pytest.raises(ValueError, match="'y' starts at 4 instead of 8"):
        open_bytes(tmp_path, pack_header(json.dumps(header).encode(), DATA))


def test_a_file_that_shrinks_after_opening_raises_an_error(tmp_path):
    file = open_bytes(tmp_path, pack_safetensors(ARRAYS))
    with open(file.path, "r+b") as opened:
        opened.truncate(file._start + 10)
    with pytest.raises(ValueError, match="'a' is truncated"):
        file["a"]

"""The reader of GGUF files: values of all tensor types, and errors for damaged files."""

import struct

import ml_dtypes
import numpy as np
import pytest
from checkpoints.gguf_files import pack_gguf, pack_tensor_info
from checkpoints.stored_cases import DATA

from keras_mmfusion.checkpoints.gguf_assets import GgufAssets
from keras_mmfusion.checkpoints.gguf_file import GgufFile

MATRIX = np.arange(12, dtype="float32").reshape(3, 4)
with np.load(DATA / "gguf_blocks.npz") as file:
    BLOCKS = dict(file)
KINDS = [tuple(key.split(":")) for key in BLOCKS if not key.endswith(":values")]


@pytest.fixture
def read(tmp_path):
    """Reads the bytes of a file."""

    def read(data):
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return GgufFile(path)

    return read


@pytest.mark.parametrize("name, number", KINDS)
def test_quantized_values_equal_those_of_the_gguf_package(read, name, number):
    blocks, values = BLOCKS[f"{name}:{number}"], BLOCKS[f"{name}:values"]
    row = values.size // len(blocks)
    file = read(pack_gguf({"x": ((row, len(blocks)), int(number), blocks.tobytes())}))
    assert (file.shapes, file.types) == ({"x": (len(blocks), row)}, {"x": name})
    assert file["x"].dtype == "float32"
    np.testing.assert_array_equal(file["x"], values.reshape(len(blocks), row))


def test_tensors_and_metadata_are_read(read):
    metadata = {"name": "Größe", "count": 3, "scale": 0.5, "flag": True}
    metadata |= {"words": ["a", "", "b"], "sizes": [1, 2], "nothing": []}
    half = np.ones(5, "float16")
    brain = MATRIX.astype(ml_dtypes.bfloat16)
    tensors = {"x": MATRIX, "y": half, "z": ((4, 3), 30, brain.tobytes())}
    file = read(pack_gguf(tensors, metadata, version=2))
    assert file.metadata == metadata
    assert list(file) == ["x", "y", "z"] and len(file) == 3
    np.testing.assert_array_equal(file["x"], MATRIX)
    np.testing.assert_array_equal(file["y"], half)
    np.testing.assert_array_equal(file["z"], brain)


PACKED = pack_gguf({"x": MATRIX, "y": MATRIX}, {"general.architecture": "llama"})


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "starts with b'' instead of b'GGUF'"),
        (b"PK\x03\x04" + PACKED[4:], "starts with b'PK"),
        (b"GGUF" + struct.pack("<I", 1) + PACKED[8:], "version is 1; supported are"),
        (b"GGUF" + struct.pack(">I", 3) + PACKED[8:], "version is 50331648"),
        (PACKED[:30], "header"),
        (PACKED[:-20], "tensor 'y' is at the bytes .* truncated or damaged"),
        (
            PACKED[:8] + struct.pack("<Q", 2**40) + PACKED[16:],
            "announces 1,099,511,627,776 entries",
        ),
        (PACKED.replace(b"general.arch", b"general\xff.arch"[:12]), "not UTF-8"),
        (pack_gguf({"x": ((4,), 20, b"0" * 64)}), "type IQ4_NL, which is not supported"),
        (pack_gguf({"x": ((4,), 99, b"0" * 64)}), "type 99, which is not supported"),
        (pack_gguf({"x": ((33,), 8, b"0" * 68)}), "rows of 33 values, which are no multiple of 32"),
        (pack_gguf({"x": ((1,) * 5, 0, b"0" * 4)}), "has 5 dimensions"),
        (pack_gguf({"x": MATRIX}, {"general.alignment": 0}), "general.alignment is 0"),
    ],
)
def test_damaged_files_raise(read, data, message):
    with pytest.raises(ValueError, match=message):
        read(data)


@pytest.mark.parametrize(
    "offset, message", [(128, "is at the bytes"), (16, "is at the bytes"), (0, "overlaps")]
)
def test_wrong_offsets_raise(read, offset, message):
    old = pack_tensor_info("y", (4, 3), 0, 64)
    assert old in PACKED
    with pytest.raises(ValueError, match=message):
        read(PACKED.replace(old, pack_tensor_info("y", (4, 3), 0, offset)))


def test_repeated_names_raise(read):
    info = pack_tensor_info("y", (4, 3), 0, 64)
    with pytest.raises(ValueError, match="tensor 'x' is repeated"):
        read(PACKED.replace(info, pack_tensor_info("x", (4, 3), 0, 64)))


def test_a_file_that_is_shortened_after_it_was_opened_raises(read):
    file = read(PACKED)
    with open(file.path, "r+b") as opened:
        opened.truncate(len(PACKED) - 64)
    with pytest.raises(ValueError, match="tensor 'y' is truncated"):
        file["y"]


def test_other_architectures_raise(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(pack_gguf({"x": MATRIX}, {"general.architecture": "qwen2"}))
    with pytest.raises(ValueError, match="architecture 'qwen2'; of GGUF files, only 'llama'"):
        GgufAssets(path)


def test_missing_metadata_is_named(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(PACKED)
    with pytest.raises(ValueError, match=r"must have the metadata 'llama\.attention\.head_count'"):
        GgufAssets(path)

"""Strict reader of GGUF files in NumPy, which reads and dequantizes one tensor at a time."""

import math
import os
import struct
from collections.abc import Mapping

import numpy as np

from keras_mmfusion.checkpoints.gguf_blocks import BLOCK_TYPES, OTHER_TYPES

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_ALIGNMENT = "general.alignment"
_DEFAULT_ALIGNMENT = 32
_MAX_DIMENSIONS = 4
_STRING, _ARRAY = 8, 9
# Number of the type of a metadata value -> format of `struct`.
_SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}


class GgufFile(Mapping):
    """The tensors of a GGUF file, a mapping of names to arrays.

    The header is checked when the file is opened. A tensor is read and dequantized each time that
    it is asked for: to float32, or its own type if it is not quantized. Its shape is that of
    PyTorch, whose last axis is the first of GGUF.

    Args:
        path: string or path.

    Attributes:
        metadata: dict of strings, numbers, bools and lists of them.
        shapes: dict, name -> tuple.
        types: dict, name -> string such as `"Q4_1"`.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is truncated, is not a GGUF file, or has a tensor of an unsupported
            type.

    Reference:
        https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._size = os.path.getsize(self.path)
        with open(self.path, "rb") as file:
            tensors = self._read_header(file)
            end = file.tell()
        alignment = self.metadata.get(_ALIGNMENT, _DEFAULT_ALIGNMENT)
        if type(alignment) is not int or alignment < 1:
            self._fail(f"its {_ALIGNMENT} is {alignment!r}")
        start = -(-end // alignment) * alignment
        self._entries = {
            name: self._check_entry(name, *entry, start, alignment)
            for name, entry in tensors.items()
        }
        self._check_overlaps()
        self.shapes = {name: shape for name, (_, shape, _) in self._entries.items()}
        self.types = {name: kind.name for name, (kind, _, _) in self._entries.items()}

    def _fail(self, problem):
        raise ValueError(f"{self.path!r} is not a valid GGUF file: {problem}.")

    def _read_header(self, file):
        """Reads the metadata; returns a dict, name of a tensor -> (dimensions, type, offset)."""
        magic = file.read(4)
        if magic != MAGIC:
            self._fail(f"it starts with {magic!r} instead of {MAGIC!r}")
        version = self._unpack(file, "I")
        if version not in VERSIONS:
            self._fail(f"its version is {version}; supported are {VERSIONS}, little-endian")
        num_tensors, num_values = self._unpack(file, "Q"), self._unpack(file, "Q")
        self.metadata = {}
        for _ in range(self._check_count(file, num_values, 12)):
            name = self._read_string(file)
            if name in self.metadata:
                self._fail(f"the metadata {name!r} is repeated")
            self.metadata[name] = self._read_value(file, self._unpack(file, "I"), name)
        tensors = {}
        for _ in range(self._check_count(file, num_tensors, 24)):
            name = self._read_string(file)
            if name in tensors:
                self._fail(f"the tensor {name!r} is repeated")
            rank = self._unpack(file, "I")
            if rank > _MAX_DIMENSIONS:
                self._fail(f"tensor {name!r} has {rank} dimensions")
            dimensions = tuple(self._unpack(file, "Q") for _ in range(rank))
            tensors[name] = (dimensions, self._unpack(file, "I"), self._unpack(file, "Q"))
        return tensors

    def _unpack(self, file, code):
        data = file.read(struct.calcsize(f"<{code}"))
        if len(data) < struct.calcsize(f"<{code}"):
            self._fail("its header is truncated")
        return struct.unpack(f"<{code}", data)[0]

    def _check_count(self, file, count, size):
        """Checks that the file can contain a number of entries of at least this size."""
        if count * size > self._size - file.tell():
            self._fail(f"its header announces {count:,} entries, more than the file contains")
        return count

    def _read_string(self, file):
        length = self._check_count(file, self._unpack(file, "Q"), 1)
        try:
            return file.read(length).decode("utf-8")
        except UnicodeDecodeError as error:
            self._fail(f"a string of its header is not UTF-8 ({error})")

    def _read_value(self, file, kind, name):
        if kind == _STRING:
            return self._read_string(file)
        if kind in _SCALARS:
            return self._unpack(file, _SCALARS[kind])
        if kind != _ARRAY:
            self._fail(f"the metadata {name!r} has the unknown type {kind}")
        kind, count = self._unpack(file, "I"), self._unpack(file, "Q")
        if kind == _STRING:
            return [self._read_string(file) for _ in range(self._check_count(file, count, 8))]
        if kind not in _SCALARS:
            self._fail(f"the metadata {name!r} is an array of the unsupported type {kind}")
        code = f"<{self._check_count(file, count, struct.calcsize(_SCALARS[kind]))}{_SCALARS[kind]}"
        return list(struct.unpack(code, file.read(struct.calcsize(code))))

    def _check_entry(self, name, dimensions, kind, offset, start, alignment):
        """Returns the type, the shape, and the first and last position of a tensor in the file."""
        if kind not in BLOCK_TYPES:
            supported = ", ".join(each.name for each in BLOCK_TYPES.values())
            raise ValueError(
                f"{self.path!r}: tensor {name!r} has the type {OTHER_TYPES.get(kind, kind)}, which "
                f"is not supported. Supported types: {supported}."
            )
        block = BLOCK_TYPES[kind]
        row = dimensions[0] if dimensions else 1
        if row % block.size:
            self._fail(
                f"tensor {name!r} of type {block.name} has rows of {row:,} values, which are no "
                f"multiple of {block.size}"
            )
        num_bytes = math.prod(dimensions) // block.size * block.num_bytes
        begin = start + offset
        if offset % alignment or begin + num_bytes > self._size:
            self._fail(
                f"tensor {name!r} is at the bytes {begin:,} to {begin + num_bytes:,} of a file of "
                f"{self._size:,} bytes; it is truncated or damaged"
            )
        return block, dimensions[::-1], (begin, begin + num_bytes)

    def _check_overlaps(self):
        end = 0
        for name, (_, _, (begin, last)) in sorted(
            self._entries.items(), key=lambda item: item[1][2]
        ):
            if begin < end:
                self._fail(f"tensor {name!r} overlaps with another one")
            end = last

    def __getitem__(self, name):
        block, shape, (begin, end) = self._entries[name]
        data = np.fromfile(self.path, "u1", end - begin, offset=begin)
        if len(data) < end - begin:
            self._fail(f"tensor {name!r} is truncated")
        return block.decode(data.reshape(-1, block.num_bytes)).reshape(shape)

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

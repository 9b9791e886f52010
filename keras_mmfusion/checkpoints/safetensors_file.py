"""Strict reader of safetensors files in NumPy, which reads one tensor at a time."""

import json
import math
import os
from collections.abc import Mapping

import numpy as np

from keras_mmfusion.files.text_files import check_kind

HEADER_LIMIT = 100_000_000  # The limit of the safetensors library.
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "bfloat16",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


class SafetensorsFile(Mapping):
    """The tensors of a safetensors file, a mapping of names to arrays.

    The header is checked when the file is opened. A tensor is read each time that it is asked for,
    into memory of its own: unlike pages of a mapped file, it is freed with the array.

    Args:
        path: string or path.

    Attributes:
        metadata: dict of strings.
        shapes: dict, name -> tuple.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is truncated, has an invalid header, or is another kind of file.

    Example:

    >>> import pathlib, tempfile
    >>> header = b'{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> _ = path.write_bytes(len(header).to_bytes(8, "little") + header + b"\\0" * 8)
    >>> SafetensorsFile(path)["x"]
    array([0., 0.], dtype=float32)

    Reference:
        https://github.com/huggingface/safetensors, section "Format".
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._size = os.path.getsize(self.path)
        header, self._start = self._read_header()
        self.metadata = self._check_metadata(header.pop("__metadata__", {}))
        self._entries = {name: self._parse_entry(name, entry) for name, entry in header.items()}
        self.shapes = {name: shape for name, (_, shape, _) in self._entries.items()}
        self._check_coverage()

    def _fail(self, problem):
        raise ValueError(f"{self.path!r} is not a valid safetensors file: {problem}.")

    def _read_header(self):
        """Returns the parsed header and the position of the first byte after it."""
        with open(self.path, "rb") as file:
            start, text = file.read(8), file.read(56)
            if text[:1] != b"{":  # The length of a header may look like the start of another kind.
                check_kind(self.path, start + text)
            if len(start) < 8:
                self._fail(f"it has only {len(start)} bytes")
            length = int.from_bytes(start, "little")
            if not 2 <= length <= HEADER_LIMIT:
                self._fail(f"its first 8 bytes give a header of {length:,} bytes")
            if 8 + length > self._size:
                self._fail(
                    f"its header of {length:,} bytes exceeds the file of {self._size:,} bytes; it "
                    "is truncated or damaged"
                )
            file.seek(8)
            text = file.read(length)
        try:
            header = json.loads(text.decode("utf-8"), object_pairs_hook=_build_unique_dict)
        except (RecursionError, ValueError) as error:
            self._fail(f"its header is not valid JSON ({error})")
        if not isinstance(header, dict) or not text.startswith(b"{"):
            self._fail("its header is not a JSON object")
        return header, 8 + length

    def _check_metadata(self, metadata):
        if not isinstance(metadata, dict) or not all(
            isinstance(value, str) for value in metadata.values()
        ):
            self._fail("its __metadata__ must be an object of strings")
        return metadata

    def _parse_entry(self, name, entry):
        """Returns the dtype, the shape and the first and last offset of a tensor."""
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            self._fail(f"tensor {name!r} must have a dtype, a shape, and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            self._fail(
                f"tensor {name!r} has the dtype {dtype!r}; supported are {', '.join(_DTYPES)}"
            )
        if not _is_sizes(shape):
            self._fail(f"tensor {name!r} has the shape {shape!r:.100}")
        if not _is_sizes(offsets) or len(offsets) != 2:
            self._fail(f"tensor {name!r} has the data_offsets {offsets!r:.100}")
        dtype = _get_dtype(dtype)
        needed = math.prod(shape) * dtype.itemsize
        if offsets[1] - offsets[0] != needed:
            self._fail(
                f"tensor {name!r} of shape {tuple(shape)} needs {needed:,} bytes, not "
                f"{offsets[1] - offsets[0]:,}"
            )
        return dtype, tuple(shape), tuple(offsets)

    def _check_coverage(self):
        """Checks that the tensors cover the data without gaps and overlaps."""
        end = 0
        for name, (_, _, offsets) in sorted(self._entries.items(), key=lambda item: item[1][2]):
            if offsets[0] != end:
                self._fail(f"tensor {name!r} starts at {offsets[0]:,} instead of {end:,}")
            end = offsets[1]
        if self._start + end != self._size:
            kind = "truncated" if self._start + end > self._size else "longer than its header says"
            self._fail(
                f"it is {kind}: {self._size:,} bytes instead of {self._start + end:,}; if it was "
                "downloaded, download it again"
            )

    def __getitem__(self, name):
        dtype, shape, (begin, end) = self._entries[name]
        array = np.empty(shape, dtype)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self._start + begin)
            view = memoryview(array.reshape(-1).view("u1"))
            while len(view):
                count = file.readinto(view)
                if not count:
                    self._fail(f"tensor {name!r} is truncated")
                view = view[count:]
        return array

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)


def _build_unique_dict(pairs):
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {repeated!r} is repeated")
    return values


def _is_sizes(values):
    return isinstance(values, list) and all(type(x) is int and 0 <= x < 2**62 for x in values)


def _get_dtype(name):
    if name == "BF16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_DTYPES[name])

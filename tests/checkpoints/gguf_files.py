"""Writes GGUF files for the tests."""

import struct

import numpy as np

TYPES = {"float32": 0, "float16": 1}
ALIGNMENT = 32


def pack_gguf(tensors, metadata=None, version=3):
    """Returns the bytes of a GGUF file.

    Args:
        tensors: dict, name -> array; or tuple of the dimensions, the type, and the bytes.
        metadata: dict of strings, ints, floats, bools, and lists of strings or ints.
        version: int.
    """
    metadata = metadata or {}
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    header += b"".join(pack_string(key) + _pack_value(value) for key, value in metadata.items())
    data = b""
    for name, tensor in tensors.items():
        if isinstance(tensor, np.ndarray):
            tensor = (tensor.shape[::-1], TYPES[tensor.dtype.name], tensor.tobytes())
        dimensions, kind, content = tensor
        header += pack_tensor_info(name, dimensions, kind, len(data))
        data = _pad(data + content)
    return _pad(header) + data


def pack_tensor_info(name, dimensions, kind, offset):
    """Returns the entry of a tensor in the header."""
    sizes = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return pack_string(name) + sizes + struct.pack("<IQ", kind, offset)


def pack_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _pack_value(value):
    if isinstance(value, list):
        entries = [_pack_value(entry) for entry in value]
        kind = struct.unpack("<I", entries[0][:4])[0] if entries else 4
        body = b"".join(entry[4:] for entry in entries)
        return struct.pack("<IIQ", 9, kind, len(value)) + body
    if isinstance(value, str):
        return struct.pack("<I", 8) + pack_string(value)
    kind, code = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}[type(value)]
    return struct.pack(f"<I{code}", kind, value)


def _pad(data):
    return data + b"\0" * (-len(data) % ALIGNMENT)

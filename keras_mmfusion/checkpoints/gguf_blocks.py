"""The tensor types of GGUF: how blocks of quantized values are converted to numbers.

Each block holds the values of consecutive weights of a row, and their scales in float16.

Reference:
    https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and the structures of ggml-common.h.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class BlockType:
    """A type of tensors.

    Args:
        name: string.
        size: int. The number of values of a block.
        num_bytes: int. The number of bytes of a block.
        decode: function of bytes, uint8 `(blocks, num_bytes)`, that returns values
            `(blocks, size)`.
    """

    name: str
    size: int
    num_bytes: int
    decode: Callable


def _view_as(dtype):
    return lambda data: data.view(dtype)


def _view_bfloat16(data):
    import ml_dtypes

    return data.view(ml_dtypes.bfloat16)


def _decode_q4_0(data):
    return _get_scale(data, 0) * (_split_nibbles(data[:, 2:]) - np.float32(8))


def _decode_q4_1(data):
    return _get_scale(data, 0) * _split_nibbles(data[:, 4:]) + _get_scale(data, 2)


def _decode_q5_0(data):
    values = _split_nibbles(data[:, 6:]) + 16 * _split_bits(data[:, 2:6])
    return _get_scale(data, 0) * (values - np.float32(16))


def _decode_q5_1(data):
    values = _split_nibbles(data[:, 8:]) + 16 * _split_bits(data[:, 4:8])
    return _get_scale(data, 0) * values + _get_scale(data, 2)


def _decode_q8_0(data):
    return _get_scale(data, 0) * data[:, 2:].view("int8")


def _decode_q4_k(data):
    """Eight groups of 32 values, each with a 6-bit scale and a 6-bit minimum."""
    scales, minimums = _unpack_6_bits(data[:, 4:16])
    values = data[:, 16:].reshape(-1, 4, 1, 32)
    values = np.concatenate([values & 15, values >> 4], axis=2).reshape(-1, 8, 32)
    scales = _get_scale(data, 0) * scales
    minimums = _get_scale(data, 2) * minimums
    return (scales[..., None] * values - minimums[..., None]).reshape(-1, 256)


def _decode_q6_k(data):
    """16 groups of 16 values of 6 bits, each with an 8-bit scale."""
    low = data[:, :128].reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = data[:, 128:192].reshape(-1, 2, 1, 32)
    shifts = np.array([0, 2, 4, 6], "uint8").reshape(1, 1, 4, 1)
    values = (low | ((high >> shifts) & 3) << 4).astype("int8") - np.int8(32)
    scales = _get_scale(data, 208) * data[:, 192:208].view("int8")
    return (scales[..., None] * values.reshape(-1, 16, 16)).reshape(-1, 256)


def _get_scale(data, offset):
    """Returns the float16 at an offset of each block as float32, `(blocks, 1)`."""
    return np.ascontiguousarray(data[:, offset : offset + 2]).view("<f2").astype("float32")


def _split_nibbles(data):
    """Returns the low halves of all bytes, then the high ones."""
    return np.concatenate([data & 15, data >> 4], axis=1)


def _split_bits(data):
    """Returns the bits of each row, the lowest of each byte first."""
    return np.unpackbits(data, axis=1, bitorder="little")


def _unpack_6_bits(data):
    """Returns the eight scales and the eight minimums of `_decode_q4_k` from 12 bytes."""
    first, second, third = data[:, :4], data[:, 4:8], data[:, 8:]
    scales = np.concatenate([first & 63, (third & 15) | (first >> 6) << 4], axis=1)
    minimums = np.concatenate([second & 63, (third >> 4) | (second >> 6) << 4], axis=1)
    return scales.astype("float32"), minimums.astype("float32")


# Number of the type in a file -> type.
BLOCK_TYPES = {
    0: BlockType("F32", 1, 4, _view_as("<f4")),
    1: BlockType("F16", 1, 2, _view_as("<f2")),
    2: BlockType("Q4_0", 32, 18, _decode_q4_0),
    3: BlockType("Q4_1", 32, 20, _decode_q4_1),
    6: BlockType("Q5_0", 32, 22, _decode_q5_0),
    7: BlockType("Q5_1", 32, 24, _decode_q5_1),
    8: BlockType("Q8_0", 32, 34, _decode_q8_0),
    12: BlockType("Q4_K", 256, 144, _decode_q4_k),
    14: BlockType("Q6_K", 256, 210, _decode_q6_k),
    30: BlockType("BF16", 1, 2, _view_bfloat16),
}
# Names of further types, for error messages.
OTHER_TYPES = {
    **{9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS"},
    **{18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS"},
    **{24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0"},
    **{39: "MXFP4"},
}

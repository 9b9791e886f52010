"""Reads the files of SentencePiece, which are messages of Protocol Buffers."""

import dataclasses
import pathlib
import struct

NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5  # Types of pieces.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # Types of fields.
_UNIGRAM = 1


@dataclasses.dataclass(frozen=True)
class SentencePieceFile:
    """The content of a file of a unigram model.

    Args:
        pieces: list of tuples of a string, its score, and its type, ordered by id.
        character_map: bytes. The compiled normalization of characters; may be empty.
        add_dummy_prefix: bool. Whether a space is added in front of a text.
        remove_extra_whitespaces: bool. Whether repeated and outer spaces are removed.
    """

    pieces: list
    character_map: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool


def read_sentencepiece(path):
    """Reads a file such as `spiece.model`.

    Args:
        path: string or path.

    Returns:
        A `SentencePieceFile`.

    Raises:
        ValueError: if the file is damaged, or its model is not a plain unigram model.
    """
    path = pathlib.Path(path)
    try:
        fields = list(_read_fields(path.read_bytes()))
        pieces = [_read_piece(value) for number, value in fields if number == 1]
        trainer, normalizer = (
            {
                key: x
                for number, value in fields
                if number == wanted
                for key, x in _read_fields(value)
            }
            for wanted in (2, 3)
        )
    except (ValueError, TypeError, struct.error) as error:
        raise ValueError(f"{str(path)!r} is not a file of SentencePiece: {error}.") from None
    if not pieces:
        raise ValueError(f"{str(path)!r} is not a file of SentencePiece: it has no pieces.")
    problems = {
        "its model is not a unigram model": trainer.get(3, _UNIGRAM) != _UNIGRAM,
        "it falls back to bytes": trainer.get(35, 0),
        "spaces are suffixes": trainer.get(24, 0),
        "spaces are not escaped": not normalizer.get(5, 1),
        "it has user-defined pieces": not {kind for *_, kind in pieces}
        <= {NORMAL, UNKNOWN, CONTROL, UNUSED},
    }
    for problem, is_present in problems.items():
        if is_present:
            raise ValueError(f"{str(path)!r} is not supported: {problem}.")
    return SentencePieceFile(
        pieces,
        character_map=normalizer.get(2, b""),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
    )


def _read_piece(data):
    fields = dict(_read_fields(data))
    [score] = struct.unpack("<f", fields.get(2, bytes(4)))
    return fields.get(1, b"").decode("utf-8"), score, fields.get(3, NORMAL)


def _read_fields(data):
    """Yields the number and the value of each field: an int, or bytes."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _read_varint(data, position)
        elif kind in (_FIXED32, _FIXED64, _BYTES):
            if kind == _BYTES:
                size, position = _read_varint(data, position)
            else:
                size = 4 if kind == _FIXED32 else 8
            if position + size > len(data):
                raise ValueError("it is truncated")
            value, position = data[position : position + size], position + size
        else:
            raise ValueError(f"it has a field of the unknown type {kind}")
        yield key >> 3, value


def _read_varint(data, position):
    value = shift = 0
    while shift < 64:
        if position >= len(data):
            raise ValueError("it is truncated")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("it has an invalid number")

"""Reads JSON and JSON lines files."""

import json
import os
import re

from keras_mmfusion.files.text_files import check_kind, read_lines


def read_json(path):
    """Reads a JSON file.

    Bytes that are not valid UTF-8, which some published annotation files contain, are decoded as
    Windows-1252.

    Args:
        path: string or path.

    Returns:
        The parsed content.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not valid JSON, for example an incomplete download.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        content = file.read()
    check_kind(path, content)
    try:
        text = content.decode(json.detect_encoding(content), "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path!r} cannot be decoded: {error}. Save it as UTF-8.") from None
    return parse_json(path, re.sub(r"[\udc80-\udcff]", _decode_cp1252, text))


def parse_json(path, text):
    """Parses the text of a JSON file.

    Args:
        path: string. The path of the file, for the error message.
        text: string.

    Raises:
        ValueError: if the text is not valid JSON; the message says whether it is truncated.
    """
    if not text.strip():
        raise ValueError(f"{path!r} is empty; it must be JSON.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            hint = "It may be a JSON lines file, which is not supported here."
        elif not text[error.pos :].strip() or error.msg.startswith("Unterminated string"):
            hint = "It is truncated; if it was downloaded, download it again."
        else:
            hint = f"It starts with {text.lstrip()[:40]!r}."
        raise ValueError(f"{path!r} is not valid JSON: {error}. {hint}") from None
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path!r} cannot be read as JSON: {error}") from None


def read_json_lines(path):
    """Reads a file with a JSON object on each line.

    Args:
        path: string or path.

    Yields:
        Tuples of the line number, starting at 1, and a dict. Blank lines are skipped.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not UTF-8 text, or a line is not a JSON object or has a repeated
            key; the message contains the line.
    """
    path = os.fspath(path)
    for number, line in read_lines(path):
        if line.strip():
            yield number, _parse_line(path, number, line)


def _parse_line(path, number, line):
    try:
        value = json.loads(line, object_pairs_hook=_build_dict)
    except (RecursionError, ValueError) as error:
        raise ValueError(
            f"{path!r}, line {number}: must be a JSON object on one line: {error}. Received: "
            f"{line[:80]!r}"
        ) from None
    if not isinstance(value, dict):
        raise ValueError(
            f"{path!r}, line {number}: must be a JSON object on one line, not "
            f"{type(value).__name__}. Received: {line[:80]!r}"
        )
    return value


def _build_dict(pairs):
    """Builds a dict, and raises an error for repeated keys."""
    values = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key!r} is repeated")
        values[key] = value
    return values


def _decode_cp1252(match):
    return bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace")

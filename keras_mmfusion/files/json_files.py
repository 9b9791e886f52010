"""JSON files: one document, or an object on each line."""

import json
import os
import re

from keras_mmfusion.files.text_files import check_kind, read_lines


def read_json(path):
    """Reads a JSON file.

    Bytes that are not UTF-8 are taken for Windows-1252, each by itself, since published annotation
    files have some.

    Args:
        path: string or path.

    Returns:
        What the file holds.

    Raises:
        OSError: if there is no such file.
        ValueError: if the file is not JSON, such as a download that broke off.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        content = file.read()
    check_kind(path, content)
    try:
        text = content.decode(json.detect_encoding(content), "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path!r} cannot be decoded: {error}. Save it as UTF-8.") from None
    return parse_json(path, re.sub(r"[\udc80-\udcff]", _western, text))


def parse_json(path, text):
    """What the text of a JSON file holds.

    Args:
        path: string, for the error message.
        text: string.

    Raises:
        ValueError: if the text is not JSON; the message says whether it breaks off.
    """
    if not text.strip():
        raise ValueError(f"{path!r} is empty; it must be JSON.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            hint = " It may be JSON lines, an object on each line, which is not expected here."
        elif not text[error.pos :].strip() or error.msg.startswith("Unterminated string"):
            hint = " It breaks off; if it was downloaded, download it again."
        else:
            hint = f" It starts with {text.lstrip()[:40]!r}."
        raise ValueError(
            f"{path!r} is not JSON, or not all of it is there: {error}.{hint}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path!r} cannot be read as JSON: {error}") from None


def read_json_lines(path):
    """Reads a file with a JSON object on each line.

    Args:
        path: string or path.

    Yields:
        Tuples of the line's number, from 1, and a dict. Blank lines are left out.

    Raises:
        OSError: if there is no such file.
        ValueError: if the file is not UTF-8 text, or a line is not a JSON object or has a key
            twice; the message has the line.
    """
    path = os.fspath(path)
    for number, line in read_lines(path):
        if line.strip():
            yield number, _parse_line(path, number, line)


def _parse_line(path, number, line):
    try:
        value = json.loads(line, object_pairs_hook=_without_doubled_keys)
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


def _without_doubled_keys(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _western(match):
    return bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace")

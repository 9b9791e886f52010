"""Annotation files as they are published, with their faults."""

import json
import re
import warnings


def read_json(path):
    """Reads a JSON file.

    Bytes that are not UTF-8 are taken for Windows-1252, each by itself.

    Args:
        path: string.

    Returns:
        What the file holds.

    Raises:
        ValueError: if the file is not JSON, such as a download that broke off.
    """
    with open(path, "rb") as file:
        content = file.read()
    text = content.decode("utf-8-sig", "surrogateescape")
    text = re.sub(r"[\udc80-\udcff]", _western, text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path!r} is not JSON, or not all of it is there: {error}") from None


def _western(match):
    return bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace")


def clean_text(text):
    """A text on one line, without half characters, which no tensor of strings can hold.

    Example:

    >>> clean_text(" two\\n dogs ")
    'two dogs'
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(whole.split())


def without_repeats(records, key):
    """Records whose id was not there before.

    Args:
        records: list of dicts.
        key: string. The entry that is a record's id.

    Returns:
        List of dicts, the first of each id.

    Raises:
        ValueError: if records of one id differ.

    Example:

    >>> without_repeats([{"id": 1, "x": 2}, {"id": 1, "x": 2}], "id")
    [{'id': 1, 'x': 2}]
    """
    first = {}
    for record in records:
        if first.setdefault(record[key], record) != record:
            raise ValueError(
                f"Two records with {key!r} {record[key]} differ: {first[record[key]]} and {record}"
            )
    return list(first.values())


def warn_left_out(what, ids):
    """Warns that records were left out, if any were.

    Args:
        what: string. What they are, and why they were left out.
        ids: list. Their ids.
    """
    if ids:
        more = ", ..." if len(ids) > 3 else ""
        examples = ", ".join(map(repr, ids[:3]))
        warnings.warn(f"Left out {len(ids)} {what}: {examples}{more}", stacklevel=3)

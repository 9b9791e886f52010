"""The rows of a table file: CSV, or JSON lines."""

import csv
import json


def read_table_rows(table):
    """Reads a table row by row.

    Args:
        table: string or path of a CSV file with a header (`.csv`), or of a file with a JSON object
            a line.

    Yields:
        Tuples of the line's number, from 1, and a dict, column -> cell. Of a CSV file, cells are
        strings; `None` for those that the row is too short for, and a list under `None` for those
        that it is too long for. A line of JSON that is no object is an empty dict.

    Raises:
        ValueError: if the file is not UTF-8, not CSV, or a line is not JSON.
    """
    read = _read_csv if str(table).lower().endswith(".csv") else _read_json_lines
    try:
        yield from read(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"`table` {table!r} cannot be read: {error}") from error


def _read_csv(table):
    with open(table, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


def _read_json_lines(table):
    with open(table, encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                raise ValueError(f"Line {line} of `table` {table!r} is not JSON: {error}") from None
            yield line, row if isinstance(row, dict) else {}

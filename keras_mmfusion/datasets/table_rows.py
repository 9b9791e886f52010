"""The rows of a table: a CSV file, a file of JSON lines, or a pandas DataFrame."""

import os

from keras_mmfusion.files.csv_files import read_csv
from keras_mmfusion.files.json_files import read_json_lines
from keras_mmfusion.files.text_files import read_lines

_JSON_LINES = (".jsonl", ".ndjson")


def read_table_rows(table, columns=(), text_column=None):
    """Reads a table row by row.

    Args:
        table: string or path of a CSV file with a header, or of a file with a JSON object on each
            line: told by the suffix `.csv`, `.jsonl` or `.ndjson`, or else by the first line.
        columns: names of columns that a CSV file must have.
        text_column: see `read_csv`.

    Yields:
        Tuples of the line's number, from 1, and a dict, column -> cell. Of a CSV file, cells are
        strings.

    Raises:
        OSError: if there is no such file.
        ValueError: if the file is neither, or a row is not as it must be; the message has the line.
    """
    table = os.path.expanduser(os.fspath(table))
    if _is_json_lines(table):
        yield from read_json_lines(table)
    else:
        yield from read_csv(table, columns, text_column)


def _is_json_lines(table):
    suffix = os.path.splitext(table)[1].lower()
    if suffix == ".csv" or suffix in _JSON_LINES:
        return suffix in _JSON_LINES
    first = next((line.strip() for _, line in read_lines(table) if line.strip()), "")
    return first[:1] in ("{", "[")


def read_frame_rows(frame):
    """Reads a pandas `DataFrame` row by row; pandas itself is not imported.

    Args:
        frame: the `DataFrame`. `None`, `NaN`, `NaT` and `NA` are missing cells, and a column of
            whole numbers with missing cells, which pandas keeps as floats, is one of integers.

    Yields:
        Tuples of the row's index and a dict, column -> cell, `None` where it is missing.

    Raises:
        ValueError: if two columns have the same name.
    """
    if not frame.columns.is_unique:
        doubled = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"The table has columns more than once: {doubled}. Rename or drop them.")
    values = frame.convert_dtypes().astype(object)
    records = values.where(frame.notna(), None).to_dict("records")
    yield from zip(frame.index.tolist(), records, strict=True)

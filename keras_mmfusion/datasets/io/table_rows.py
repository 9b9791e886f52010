"""Reads the rows of a table: a CSV file, a JSON lines file or a pandas DataFrame."""

import os

from keras_mmfusion.files.csv_files import read_csv
from keras_mmfusion.files.json_files import read_json_lines
from keras_mmfusion.files.text_files import read_lines

_JSON_LINES = (".jsonl", ".ndjson")


class Table:
    """A table that is read row by row.

    Args:
        source: string or path of a CSV file with a header, or of a file with a JSON object on each
            line, detected by the suffix `.csv`, `.jsonl` or `.ndjson` or, with other suffixes, by
            the first line; or a pandas `DataFrame`.
        columns: collection of strings. Columns that a CSV file or a `DataFrame` must have.
        text_column: see `read_csv`.

    Attributes:
        name: string. The name of the table in error messages.
        unit: string. The unit of row positions: `"line"`, or `"row"` of a `DataFrame`.
        folder: string. The folder to which paths are relative; `""` for the working directory.
    """

    def __init__(self, source, columns=(), text_column=None):
        self._columns = columns
        self._text_column = text_column
        self._is_frame = hasattr(source, "columns") and hasattr(source, "to_dict")
        if self._is_frame:
            self._source, self.name, self.unit, self.folder = source, "The DataFrame", "row", ""
        else:
            if not isinstance(source, (str, os.PathLike)):
                raise ValueError(
                    "A table must be the path of a CSV or JSON lines file, or a pandas DataFrame. "
                    f"Received: {source!r:.80}"
                )
            self._source = os.path.expanduser(os.fspath(source))
            self.name, self.unit = repr(self._source), "line"
            self.folder = os.path.dirname(self._source)

    def read_rows(self):
        """Reads the rows.

        Yields:
            Tuples of the line number, starting at 1, or the index of a `DataFrame`; and a dict,
            column -> cell. Cells of a CSV file are strings; missing cells of others are `None`.

        Raises:
            OSError: if the file does not exist.
            ValueError: if the file is neither CSV nor JSON lines, a column is missing or repeated,
                or a row is invalid; the message contains the line.
        """
        if self._is_frame:
            return self._read_frame()
        if _is_json_lines(self._source):
            return read_json_lines(self._source)
        return read_csv(self._source, self._columns, self._text_column)

    def _read_frame(self):
        frame = self._source
        if not frame.columns.is_unique:
            repeated = frame.columns[frame.columns.duplicated()].tolist()
            raise ValueError(f"{self.name} has repeated columns: {repeated}. Rename them.")
        missing = [name for name in self._columns if name not in frame.columns]
        if missing:
            raise ValueError(
                f"{self.name} has no column {', '.join(map(repr, missing))}. Its columns: "
                f"{', '.join(map(repr, frame.columns))}"
            )
        # Restores integers, which pandas stores as floats if values are missing.
        values = frame.convert_dtypes().astype(object)
        records = values.where(frame.notna(), None).to_dict("records")
        yield from zip(frame.index.tolist(), records, strict=True)


def _is_json_lines(path):
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".csv" or suffix in _JSON_LINES:
        return suffix in _JSON_LINES
    first = next((line.strip() for _, line in read_lines(path) if line.strip()), "")
    return first[:1] in ("{", "[")

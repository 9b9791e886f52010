"""The rows of a table: a CSV file, a file of JSON lines, or a pandas DataFrame."""

import os

from keras_mmfusion.files.csv_files import read_csv
from keras_mmfusion.files.json_files import read_json_lines
from keras_mmfusion.files.text_files import read_lines

_JSON_LINES = (".jsonl", ".ndjson")


class Table:
    """A table of a user, to be read row by row.

    Args:
        source: string or path of a CSV file with a header, or of a file with a JSON object on each
            line: told by the suffix `.csv`, `.jsonl` or `.ndjson`, or else by the first line. Or a
            pandas `DataFrame`; pandas itself is not imported.
        columns: names of columns that a CSV file or a `DataFrame` must have.
        text_column: see `read_csv`.

    Attributes:
        name: string. What to call it in an error message.
        unit: string. What its rows are counted in: lines, or rows of a `DataFrame`.
        folder: string. What paths in it are relative to; `""` for the current folder.
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

    def rows(self):
        """Reads the rows.

        Yields:
            Tuples of the line's number, from 1, or of the row's index; and a dict, column -> cell.
            Of a CSV file, cells are strings; of the others, `None` where they are missing.

        Raises:
            OSError: if there is no such file.
            ValueError: if the file is neither CSV nor JSON lines, a column is missing or there
                twice, or a row is not as it must be; the message has the line.
        """
        if self._is_frame:
            return self._read_frame()
        if _is_json_lines(self._source):
            return read_json_lines(self._source)
        return read_csv(self._source, self._columns, self._text_column)

    def _read_frame(self):
        frame = self._source
        if not frame.columns.is_unique:
            doubled = frame.columns[frame.columns.duplicated()].tolist()
            raise ValueError(f"{self.name} has columns more than once: {doubled}. Rename them.")
        missing = [name for name in self._columns if name not in frame.columns]
        if missing:
            raise ValueError(
                f"{self.name} has no column {', '.join(map(repr, missing))}. It has: "
                f"{', '.join(map(repr, frame.columns))}"
            )
        # Whole numbers that pandas keeps as floats, since some are missing, are integers again.
        values = frame.convert_dtypes().astype(object)
        records = values.where(frame.notna(), None).to_dict("records")
        yield from zip(frame.index.tolist(), records, strict=True)


def _is_json_lines(path):
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".csv" or suffix in _JSON_LINES:
        return suffix in _JSON_LINES
    first = next((line.strip() for _, line in read_lines(path) if line.strip()), "")
    return first[:1] in ("{", "[")

"""Reads CSV files strictly: malformed rows raise errors instead of being repaired silently."""

import collections
import itertools
import os
import re

from keras_mmfusion.files.text_files import read_lines

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# The text of a quoted cell, with doubled quotation marks, and the closing quotation mark.
_CLOSED = re.compile(r'((?:[^"]++|"")*+)"')


def read_csv(path, columns=(), text_column=None):
    """Reads a CSV file with a header, row by row.

    Cells are stripped. Blank lines and columns without a name are skipped.

    Args:
        path: string or path.
        columns: collection of strings. The columns that the file must have.
        text_column: string. The name of a column whose cells may contain unquoted commas if it is
            the last column and no cell of the row is quoted.

    Yields:
        Tuples of the number of the first line of the row, and a dict, column -> string.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not UTF-8 text, has no header, a missing or repeated column, or
            another separator, or if a row has a different length or unbalanced quotation marks.
            The message contains the line and a remedy.
    """
    path = os.fspath(path)
    _check_separator(path, columns)
    rows = _parse_rows(path)
    line, _, names = next(rows)
    _check_header(path, line, names, columns)
    for line, text, cells in rows:
        if len(cells) > len(names) and names[-1] == text_column:
            cells = _join_last_cells(text, cells, len(names))
        if len(cells) != len(names):
            remedy = (
                "Put a cell that contains a comma between double quotes"
                if len(cells) > len(names)
                else "An empty cell needs a comma, too"
            )
            raise ValueError(
                f"{path!r}, line {line}: expected {len(names)} cells, one for each column of the "
                f"header, but found {len(cells)}. {remedy}. Received: {text[:80]!r}"
            )
        yield line, {name: cell for name, cell in zip(names, cells, strict=True) if name}


def _check_separator(path, columns):
    header = next((line for _, line in read_lines(path) if line.strip()), None)
    if header is None:
        required = f" with the columns {', '.join(columns)}" if columns else ""
        raise ValueError(f"{path!r} is empty; it must have a header{required}, and rows.")
    separator = next((separator for separator in _SEPARATORS if separator in header), None)
    names = [name.strip(' "') for name in header.split(separator)]
    if separator and ("," not in header or (columns and set(columns) <= set(names))):
        raise ValueError(
            f"{path!r} appears to be separated by {_SEPARATORS[separator]}; it must be separated "
            f"by commas. Convert it, for example with pandas: read_csv(path, sep={separator!r})"
            f".to_csv(path, index=False). Received the header: {header[:80]!r}"
        )


def _parse_rows(path):
    """Yields tuples of the number of the first line, the text and the cells of each row."""
    lines = read_lines(path)
    for number, line in lines:
        cells, text = None, line
        if '"' in line:
            cells, text = _parse_quoted_row(path, (number, line), lines)
        elif line.strip():
            cells = line.split(",")
        if cells is not None:
            yield number, text, [cell.strip() for cell in cells]


def _parse_quoted_row(path, first, others):
    """Returns the cells and the text of a row with quotation marks, which may span lines."""
    consumed = []

    def lines():
        for number, line in itertools.chain([first], others):
            consumed.append((number, line))
            yield line

    try:
        cells = _parse_row(lines())
    except ValueError as error:
        raise ValueError(_format_quotation_error(path, consumed, error)) from None
    if _contains_rows(cells[0], consumed[1:]):
        raise ValueError(_format_quotation_error(path, consumed, "the cell contains other rows"))
    return cells, "\n".join(line for _, line in consumed)


def _parse_row(lines):
    """Parses the row at the start of some lines; whitespace around quoted cells is allowed."""
    cells, comma, rest = [], ",", next(lines)
    while comma:
        quoted = rest.lstrip(" \t")
        if quoted.startswith('"'):
            cell, rest = _parse_quoted(quoted[1:], lines)
            after, comma, rest = rest.partition(",")
            if after.strip():
                raise ValueError(f"{after.strip()[:40]!r} follows the closing quotation mark")
        else:
            cell, comma, rest = rest.partition(",")
        cells.append(cell)
    return cells


def _parse_quoted(rest, lines):
    """Returns a quoted cell, whose opening mark was consumed, and the rest of its last line."""
    parts = []
    while (closed := _CLOSED.match(rest)) is None:
        parts.append(rest)
        rest = next(lines, None)
        if rest is None:
            raise ValueError("the file ends")
    parts.append(closed[1])
    return "\n".join(parts).replace('""', '"'), rest[closed.end() :]


def _contains_rows(first_cell, lines):
    """Returns whether lines in a quoted cell look like rows that start with a file name."""
    suffix = re.search(r"\.[A-Za-z]\w{1,4}$", first_cell.strip())
    starts = [line.partition(",") for _, line in lines]
    return bool(suffix) and any(
        comma and start.strip(' "').endswith(suffix[0]) for start, comma, _ in starts
    )


def _format_quotation_error(path, lines, reason):
    return (
        f"{path!r}, line {_find_opening_line(lines)}: a quoted cell is not closed before a comma "
        f"or the end of the line ({reason}). Add the closing quotation mark; inside a quoted cell, "
        "write quotation marks twice."
    )


def _find_opening_line(lines):
    """Returns the number of the last line on which a quoted cell is opened."""
    opened, inside, at_start = lines[0][0], False, True
    for number, line in lines:
        for character in line.replace('""', ""):
            if character == '"' and (inside or at_start):
                inside = not inside
                opened = number if inside else opened
            at_start = not inside and (character == "," or (at_start and character == " "))
    return opened


def _check_header(path, line, names, columns):
    counts = collections.Counter(filter(None, names))
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        positions = [i for i, name in enumerate(names, start=1) if name == repeated[0]]
        raise ValueError(
            f"{path!r}, line {line}: the header has the column {repeated[0]!r} more than once, at "
            f"{', '.join(map(str, positions))}. Rename or remove all but one."
        )
    missing = [name for name in columns if name not in counts]
    if missing:
        raise ValueError(
            f"{path!r} has no column {', '.join(map(repr, missing))}. Line {line} must be a "
            f"header with the columns {', '.join(columns)}. Received: {', '.join(names)[:200]}"
        )


def _join_last_cells(text, cells, count):
    """Joins all cells after the first `count - 1` ones, if none is quoted."""
    if [cell.strip() for cell in text.split(",")] != cells:
        return cells
    return [cell.strip() for cell in text.split(",", count - 1)]

"""CSV files, read strictly: no cell is cut off, no row swallowed, no column hidden."""

import collections
import itertools
import os
import re

from keras_mmfusion.files.text_files import read_lines

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# The text of a quoted cell, in which quotation marks are doubled, and the mark that closes it.
_CLOSED = re.compile(r'((?:[^"]++|"")*+)"')


def read_csv(path, columns=(), text_column=None):
    """Reads a CSV file with a header, row by row.

    Cells are stripped. Blank lines are left out, columns without a name too.

    Args:
        path: string or path.
        columns: names of columns that the file must have.
        text_column: name of a column whose text may have unquoted commas if it is the last one,
            and no cell of the row is quoted: the text is then all that follows.

    Yields:
        Tuples of the number of the row's first line, and a dict, column -> string.

    Raises:
        OSError: if there is no such file.
        ValueError: if the file is not UTF-8 text, has no header, lacks a column or has one twice,
            is not separated by commas, or has a row of another length or with quotation marks
            that do not match. The message has the line, and what to do.
    """
    path = os.fspath(path)
    _check_separator(path, columns)
    rows = _parsed_rows(path)
    line, _, names = next(rows)
    _check_header(path, line, names, columns)
    for line, text, cells in rows:
        if len(cells) > len(names) and names[-1] == text_column:
            cells = _with_commas(text, cells, len(names))
        if len(cells) != len(names):
            remedy = (
                "Put a cell that contains a comma between double quotes"
                if len(cells) > len(names)
                else "An empty cell needs its comma, too"
            )
            raise ValueError(
                f"{path!r}, line {line}: expected {len(names)} cells, one for each column of the "
                f"header, but there are {len(cells)}. {remedy}. Received: {text[:80]!r}"
            )
        yield line, {name: cell for name, cell in zip(names, cells, strict=True) if name}


def _check_separator(path, columns):
    header = next((line for _, line in read_lines(path) if line.strip()), None)
    if header is None:
        wanted = f" with the columns {', '.join(columns)}" if columns else ""
        raise ValueError(f"{path!r} is empty; it must have a header{wanted}, and rows.")
    found = next((separator for separator in _SEPARATORS if separator in header), None)
    names = [name.strip(' "') for name in header.split(found)]
    if found and ("," not in header or (columns and set(columns) <= set(names))):
        raise ValueError(
            f"{path!r} appears to be separated by {_SEPARATORS[found]}; it must be separated by "
            f"commas. Convert it, for example with pandas: read_csv(path, sep={found!r})"
            f".to_csv(path, index=False). Received the header: {header[:80]!r}"
        )


def _parsed_rows(path):
    """Tuples of the number of the row's first line, the text of the row, and its cells."""
    lines = read_lines(path)
    for number, line in lines:
        cells, text = None, line
        if '"' in line:
            cells, text = _quoted_row(path, (number, line), lines)
        elif line.strip():
            cells = line.split(",")
        if cells is not None:
            yield number, text, [cell.strip() for cell in cells]


def _quoted_row(path, first, others):
    """The cells and the text of a row with quotation marks, which may go over several lines."""
    taken = []

    def lines():
        for number, line in itertools.chain([first], others):
            taken.append((number, line))
            yield line

    try:
        cells = _parse_row(lines())
    except ValueError as error:
        raise ValueError(_quotation_problem(path, taken, error)) from None
    if _holds_rows(cells[0], taken[1:]):
        raise ValueError(_quotation_problem(path, taken, "the cell contains other rows"))
    return cells, "\n".join(line for _, line in taken)


def _parse_row(lines):
    """The cells of the row that the first lines are; blanks may stand around a quoted cell."""
    cells, comma, rest = [], ",", next(lines)
    while comma:
        quoted = rest.lstrip(" \t")
        if quoted.startswith('"'):
            cell, rest = _parse_quoted(quoted[1:], lines)
            after, comma, rest = rest.partition(",")
            if after.strip():
                raise ValueError(f"{after.strip()[:40]!r} follows it")
        else:
            cell, comma, rest = rest.partition(",")
        cells.append(cell)
    return cells


def _parse_quoted(rest, lines):
    """A quoted cell from behind its first quotation mark, and what follows it on its last line."""
    parts = []
    while (closed := _CLOSED.match(rest)) is None:
        parts.append(rest)
        rest = next(lines, None)
        if rest is None:
            raise ValueError("the file ends")
    parts.append(closed[1])
    return "\n".join(parts).replace('""', '"'), rest[closed.end() :]


def _holds_rows(first_cell, lines):
    """Whether lines inside a quoted cell are rows: they open with a file name of the same kind."""
    suffix = re.search(r"\.[A-Za-z]\w{1,4}$", first_cell.strip())
    starts = [line.partition(",") for _, line in lines]
    return bool(suffix) and any(
        comma and start.strip(' "').endswith(suffix[0]) for start, comma, _ in starts
    )


def _quotation_problem(path, lines, reason):
    return (
        f"{path!r}, line {_opening_line(lines)}: the quotation mark that opens a cell is not "
        f"closed, or not before a comma or the end of the line ({reason}). Close it there; "
        "inside a quoted cell, write quotation marks twice."
    )


def _opening_line(lines):
    """The number of the last line on which a quoted cell opens."""
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
    doubled = [name for name, count in counts.items() if count > 1]
    if doubled:
        places = [place for place, name in enumerate(names, start=1) if name == doubled[0]]
        raise ValueError(
            f"{path!r}, line {line}: the header has the column {doubled[0]!r} more than once, at "
            f"{', '.join(map(str, places))}. Rename or remove all but one."
        )
    missing = [name for name in columns if name not in counts]
    if missing:
        raise ValueError(
            f"{path!r} has no column {', '.join(map(repr, missing))}. Line {line} must be a "
            f"header with the columns {', '.join(columns)}. Received: {', '.join(names)[:200]}"
        )


def _with_commas(text, cells, count):
    """The cells, of which the last is all that follows `count - 1` commas, if none is quoted."""
    if [cell.strip() for cell in text.split(",")] != cells:
        return cells
    return [cell.strip() for cell in text.split(",", count - 1)]

"""Columns of a table whose cells are the values themselves."""

import json
import math
import numbers

import numpy as np

from keras_mmfusion.datasets.io.string_lists import check_strings


class Column:
    """What the cells of a column are, and the tensor that they become.

    Args:
        name: string. The column's name in the table; that of the modality by default.

    Attributes:
        blank: what stands in place of a value that is missing.
        shape: tuple, of a sample's tensor; opens with `None` for tokens of any number.
    """

    def __init__(self, name=None):
        self.name = name

    def named(self, modality):
        """The names of the table's columns that the modality is read from."""
        return [self.name or modality]

    def read(self, row, modality, folder):
        """The modality's value in a row of the table.

        Args:
            row: dict, column -> cell.
            modality: string.
            folder: string, that paths are relative to.

        Returns:
            The value, or `None` if it is missing.

        Raises:
            ValueError: if the cell is not as it must be.
        """
        (name,) = self.named(modality)
        cell = row.get(name)
        cell = cell.strip() if isinstance(cell, str) else cell
        if cell is None or (isinstance(cell, str) and not cell):
            return None
        try:
            return self.parse(cell, folder)
        except ValueError as error:
            raise ValueError(f"column {name!r}: {error}") from error

    def parse(self, cell, folder):
        """The value of a cell that is not empty."""
        raise NotImplementedError

    def load(self, value, there):
        """The tensor of a value, in the pipeline.

        Args:
            value: tensor.
            there: bool tensor `()`, `False` where the value is `blank`.
        """
        return value


class TextColumn(Column):
    """Texts, which stay text: strings `(batch,)`.

    Args:
        name: string. The column's name in the table; that of the modality by default.
    """

    blank, shape = "", ()

    def parse(self, cell, folder):
        if not isinstance(cell, str):
            raise ValueError(f"{cell!r} is no text")
        cell.encode()  # JSON may have half characters, which no tensor of strings can hold.
        return cell


class NumberColumn(Column):
    """Numbers: float32 `(batch, size)`.

    Args:
        name: string. The column's name in the table; that of the modality by default.
        size: int. How many numbers a cell has: a list in JSON lines, a list or an array in a
            `DataFrame`, separated by spaces in CSV.
    """

    def __init__(self, name=None, size=1):
        super().__init__(name)
        self.shape = (size,)
        self.blank = np.zeros(size, "float32")

    def parse(self, cell, folder):
        parts = cell.split() if isinstance(cell, str) else cell
        parts = list(parts) if isinstance(parts, (list, tuple, np.ndarray)) else [parts]
        try:
            numbers = [math.nan if isinstance(part, bool) else float(part) for part in parts]
        except (TypeError, ValueError):
            numbers = [math.nan]
        if len(numbers) != self.shape[0] or not all(map(math.isfinite, numbers)):
            raise ValueError(f"{cell!r} must be {self.shape[0]} finite number(s)")
        return np.array(numbers, "float32")


class CategoryColumn(Column):
    """Categories as their places in a list: int32 `(batch, 1)`.

    Args:
        name: string. The column's name in the table; that of the modality by default.
        classes: sequence of strings, numbers or booleans, the categories. What is no string, here
            or in a cell of JSON, is what JSON writes, such as `3` or `true`.
    """

    shape, blank = (1,), np.zeros(1, "int32")

    def __init__(self, name=None, classes=()):
        super().__init__(name)
        if isinstance(classes, (str, bytes)) or not hasattr(classes, "__iter__"):
            check_strings("classes", classes)
        classes = list(classes)
        self.classes = tuple(map(_as_text, classes))
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                f"`classes` must be different, and at least one. Received: {classes!r}"
            )
        # Integers may be floats in a table, and floats integers.
        self._numbers = {
            float(each): place for place, each in enumerate(classes) if _is_number(each)
        }

    def parse(self, cell, folder):
        text = _as_text(cell)
        if text in self.classes:
            place = self.classes.index(text)
        else:
            place = self._numbers.get(float(cell)) if _is_number(cell) else None
        if place is None:
            raise ValueError(f"{text!r} is none of the classes {', '.join(self.classes)}")
        return np.array([place], "int32")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _as_text(value):
    """A value as CSV and JSON have it."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value.item() if isinstance(value, np.generic) else value)
    except TypeError:
        return str(value)


class RecordColumns(Column):
    """Several columns that are one modality, as `TableEncoder` takes it: float32 `(batch, size)`.

    A cell that is missing is NaN; a row without any of them is without the modality.

    Args:
        *columns: `NumberColumn` or `CategoryColumn`, each with a name.

    Example:

    >>> from keras_mmfusion.datasets import CategoryColumn, NumberColumn, RecordColumns
    >>> patient = RecordColumns(NumberColumn("age"), CategoryColumn("sex", classes=("f", "m")))
    >>> patient.read({"age": "", "sex": "m"}, "patient", folder="")
    array([nan,  1.], dtype=float32)
    """

    def __init__(self, *columns):
        super().__init__()
        kinds = (NumberColumn, CategoryColumn)
        if not columns or not all(isinstance(x, kinds) and x.name for x in columns):
            raise ValueError(
                "RecordColumns: `columns` must be NumberColumn or CategoryColumn, each with a "
                f"name. Received: {columns!r}"
            )
        self.columns = columns
        self.shape = (sum(column.shape[0] for column in columns),)
        self.blank = np.full(self.shape, np.nan, "float32")

    def named(self, modality):
        return [column.name for column in self.columns]

    def read(self, row, modality, folder):
        values = [column.read(row, column.name, folder) for column in self.columns]
        if all(value is None for value in values):
            return None
        return np.concatenate(
            [
                np.full(column.shape, np.nan) if value is None else value
                for column, value in zip(self.columns, values, strict=True)
            ],
            dtype="float32",
        )

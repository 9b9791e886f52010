"""Columns of a table with values: texts, numbers, categories and records of them."""

import json
import math
import numbers

import numpy as np

from keras_mmfusion.datasets.io.string_lists import check_strings


class Column:
    """Base class that defines how the cells of a column are parsed and converted to a tensor.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.

    Attributes:
        blank: the value that replaces missing values.
        shape: tuple. The shape of the tensor of a sample, starting with `None` for a variable
            number of tokens.
    """

    def __init__(self, name=None):
        self.name = name

    def get_names(self, modality):
        """Returns the names of the columns from which the modality is read."""
        return [self.name or modality]

    def read(self, row, modality, folder):
        """Reads the value of the modality from a row.

        Args:
            row: dict, column -> cell.
            modality: string.
            folder: string. The folder to which paths are relative.

        Returns:
            The value, or `None` if it is missing.

        Raises:
            ValueError: if the cell is invalid.
        """
        (name,) = self.get_names(modality)
        cell = row.get(name)
        cell = cell.strip() if isinstance(cell, str) else cell
        if cell is None or (isinstance(cell, str) and not cell):
            return None
        try:
            return self.parse(cell, folder)
        except ValueError as error:
            raise ValueError(f"column {name!r}: {error}") from error

    def parse(self, cell, folder):
        """Parses a cell that is not empty."""
        raise NotImplementedError

    def load(self, value, mask):
        """Converts a value to a tensor, in the pipeline.

        Args:
            value: tensor.
            mask: bool tensor `()`, `False` if the value is missing.
        """
        return value


class TextColumn(Column):
    """Texts, which are not tokenized: strings `(batch,)`.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
    """

    blank, shape = "", ()

    def parse(self, cell, folder):
        if not isinstance(cell, str):
            raise ValueError(f"{cell!r} is not a string")
        cell.encode()  # JSON can contain lone surrogates, which tensors cannot store.
        return cell


class NumberColumn(Column):
    """Numbers: float32 `(batch, size)`.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
        size: int. The number of values in a cell, which is a list in JSON lines, a list or an
            array in a `DataFrame`, and separated by spaces in CSV.
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
    """Categories as class indices: int32 `(batch, 1)`.

    Args:
        name: string. The name of the column. Defaults to the name of the modality.
        classes: sequence of strings, numbers or booleans. Numbers and booleans match their JSON
            representation, such as `3` or `true`.
    """

    shape, blank = (1,), np.zeros(1, "int32")

    def __init__(self, name=None, classes=()):
        super().__init__(name)
        if isinstance(classes, (str, bytes)) or not hasattr(classes, "__iter__"):
            check_strings("classes", classes)
        classes = list(classes)
        self.classes = tuple(map(_to_text, classes))
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                f"`classes` must have at least one value and no repetition. Received: {classes!r}"
            )
        # An integer can be a float in the table, and vice versa.
        self._numbers = {
            float(each): index for index, each in enumerate(classes) if _is_number(each)
        }

    def parse(self, cell, folder):
        text = _to_text(cell)
        if text in self.classes:
            index = self.classes.index(text)
        else:
            index = self._numbers.get(float(cell)) if _is_number(cell) else None
        if index is None:
            raise ValueError(f"{text!r} is not one of the classes {', '.join(self.classes)}")
        return np.array([index], "int32")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _to_text(value):
    """Converts a value to its representation in CSV and JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value.item() if isinstance(value, np.generic) else value)
    except TypeError:
        return str(value)


class RecordColumns(Column):
    """Several columns as one modality, the input of `TableEncoder`: float32 `(batch, size)`.

    Missing cells are NaN. The modality is missing if all cells are.

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

    def get_names(self, modality):
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

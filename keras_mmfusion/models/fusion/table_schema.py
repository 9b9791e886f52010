"""Which columns of a table a fusion model uses, and how their cells become tensors. No Keras."""

import collections
import dataclasses
import os
import re

import numpy as np

from keras_mmfusion.datasets.io.table_rows import Table
from keras_mmfusion.datasets.tables.file_columns import ArrayColumn, ImageColumn
from keras_mmfusion.datasets.tables.modality_table import read_multimodal_table
from keras_mmfusion.datasets.tables.table_columns import (
    CategoryColumn,
    Column,
    NumberColumn,
    RecordColumns,
)

RECORD = "record"
NUM_WORDS = 64  # Words of a text; longer texts are cut.
MAX_VOCABULARY = 20_000
PADDING_ID, UNKNOWN_ID, FIRST_WORD_ID = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class TableSchema:
    """The columns of a table as the modalities of a fusion model.

    Numbers and categories together are the modality `"record"`; each other column is a modality
    with its own name. The schema is saved beside the model, since other tables must be read with
    the same classes and vocabularies.

    Args:
        target: string. The column to predict.
        target_classes: list of its classes, or `None` for a number.
        numbers: list of strings.
        categories: dict, column -> list of its classes.
        texts: dict, column -> list of the words of its vocabulary.
        images: list of strings. Columns of paths of image files.
        arrays: dict, column of paths of `.npy` files -> shape, such as `[16]` or `[None, 16]`.
        image_size: list of two ints, `[height, width]`.

    Example:

    >>> from keras_mmfusion.models.fusion import TableSchema
    >>> schema = TableSchema("price", None, numbers=["width"], texts={"title": ["red", "lamp"]})
    >>> schema.modalities
    ('record', 'title')
    """

    target: str
    target_classes: list | None
    numbers: list = dataclasses.field(default_factory=list)
    categories: dict = dataclasses.field(default_factory=dict)
    texts: dict = dataclasses.field(default_factory=dict)
    images: list = dataclasses.field(default_factory=list)
    arrays: dict = dataclasses.field(default_factory=dict)
    image_size: list = (224, 224)

    def __post_init__(self):
        names = [*self.numbers, *self.categories, *self.texts, *self.images, *self.arrays]
        if not names:
            raise ValueError("`TableSchema` must have at least one column beside the target.")
        counts = collections.Counter([*names, self.target])
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            raise ValueError(f"Each column must have one role. Received more for: {repeated}")
        others = {*self.texts, *self.images, *self.arrays}
        if RECORD in others and (self.numbers or self.categories):
            raise ValueError(f"Rename the column {RECORD!r}: it is the modality of the numbers.")

    @property
    def modalities(self):
        """The names of the modalities."""
        return tuple(self._columns())

    def read(self, path, split=None):
        """Reads the rows of a table.

        Args:
            path, split: as for `read_multimodal_table`.

        Returns:
            `MultimodalRows` with labels.

        Raises:
            ValueError: if a column is missing, or a cell is invalid or has an unknown class.
        """
        return read_multimodal_table(path, self._columns(), self._label(), split)

    def make_blank_inputs(self):
        """Returns the inputs of a row of empty cells: tensors by modality, and their masks."""
        import tensorflow as tf

        inputs = {}
        for name, column in self._columns().items():
            value = column.load(tf.constant(column.blank), tf.constant(False))[None]
            inputs[name] = value
            axes = 2 if column.shape[0] is None else 1
            inputs[f"{name}_mask"] = tf.zeros(value.shape[:axes], "bool")
        return inputs

    def _columns(self):
        columns = {}
        if self.numbers or self.categories:
            categories = self.categories.items()
            columns[RECORD] = RecordColumns(
                *(NumberColumn(name) for name in self.numbers),
                *(CategoryColumn(name, classes) for name, classes in categories),
            )
        for name, vocabulary in self.texts.items():
            columns[name] = _WordColumn(name, vocabulary)
        for name in self.images:
            columns[name] = ImageColumn(name, tuple(self.image_size))
        for name, shape in self.arrays.items():
            columns[name] = ArrayColumn(name, tuple(shape))
        return columns

    def _label(self):
        if self.target_classes is None:
            return NumberColumn(self.target)
        return CategoryColumn(self.target, self.target_classes)


def infer_schema(
    path, target, task, numbers=(), categories=(), texts=(), images=(), arrays=(), split=None
):
    """Collects the classes, vocabularies and shapes of a table's columns.

    Args:
        path: string or path of a CSV file with a header, or of a file of JSON lines.
        target: string. The column to predict.
        task: `"classification"` or `"regression"`.
        numbers, categories, texts, images, arrays: sequences of the names of columns.
        split: string. Use only the rows with this value in the column `split`.

    Returns:
        `TableSchema`.

    Raises:
        ValueError: if there is no such column, or no array of a column can be read.
    """
    table = Table(path)
    rows = [row for _, row in table.read_rows()]
    if split is not None:
        rows = [row for row in rows if str(row.get("split")).strip() == split]
        if not rows:
            raise ValueError(f"{table.name} has no row with {split!r} in a column 'split'.")
    known = dict.fromkeys(name for row in rows for name in row)
    for name in (target, *numbers, *categories, *texts, *images, *arrays):
        if name not in known:
            raise ValueError(
                f"{table.name} has no column {name!r}. Its columns: {', '.join(map(repr, known))}"
            )
    return TableSchema(
        target=target,
        target_classes=_find_classes(rows, target) if task == "classification" else None,
        numbers=list(numbers),
        categories={name: _find_classes(rows, name) for name in categories},
        texts={name: _find_vocabulary(rows, name) for name in texts},
        images=list(images),
        arrays={name: _find_shape(rows, name, table) for name in arrays},
    )


def _cells(rows, name):
    """Returns the cells of a column that are not empty."""
    cells = (row.get(name) for row in rows)
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    return [cell for cell in cells if cell is not None and cell != ""]


def _find_classes(rows, name):
    return sorted(set(_cells(rows, name)), key=str)


def _find_vocabulary(rows, name):
    counts = collections.Counter(
        word for text in _cells(rows, name) for word in split_words(str(text))
    )
    return [word for word, _ in counts.most_common(MAX_VOCABULARY)]


def _find_shape(rows, name, table):
    cells = _cells(rows, name)
    if not cells:
        raise ValueError(f"Column {name!r} of {table.name} is empty.")
    path = os.path.join(table.folder, str(cells[0]))
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path!r} is not a .npy file of numbers: {error}") from error
    if len(shape) not in (1, 2):
        raise ValueError(
            f"Arrays must be vectors (dim,) or tokens (tokens, dim). {path!r} has shape {shape}"
        )
    return [*([None] if len(shape) == 2 else []), shape[-1]]


def split_words(text):
    """Splits a text into lower-case words.

    Example:

    >>> split_words("It's a RED lamp.")
    ['it', 's', 'a', 'red', 'lamp']
    """
    return re.findall(r"\w+", text.lower())


class _WordColumn(Column):
    """Texts as word ids: int32 `(batch, NUM_WORDS)`; 0 is padding, 1 an unknown word."""

    shape, blank = (NUM_WORDS,), np.zeros(NUM_WORDS, "int32")

    def __init__(self, name, vocabulary):
        super().__init__(name)
        self._ids = {word: index for index, word in enumerate(vocabulary, start=FIRST_WORD_ID)}

    def parse(self, cell, folder):
        ids = [self._ids.get(word, UNKNOWN_ID) for word in split_words(str(cell))[:NUM_WORDS]]
        if not ids:
            return None  # A text without any word is missing.
        return np.pad(np.array(ids, "int32"), (0, NUM_WORDS - len(ids)))

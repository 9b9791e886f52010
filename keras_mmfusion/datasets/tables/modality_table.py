"""Reads tables with a column for each modality, and the `tf.data` pipeline of them."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.io.table_rows import Table
from keras_mmfusion.datasets.tables.table_columns import Column


def multimodal_table_dataset(
    path, columns, label=None, split=None, batch_size=32, shuffle=True, seed=0, cache=False
):
    """Returns a table with a column for each modality as a `tf.data.Dataset` for `fit`.

    Args:
        path: string or path of the table, or a pandas `DataFrame`; see `read_multimodal_table`.
        columns: dict, modality -> column; see `read_multimodal_table`.
        label: a column with a name, or `None`.
        split: string. The value of the column `split`, or `None` for all rows.
        batch_size, shuffle, seed, cache: see `multimodal_dataset`.

    Returns:
        A `tf.data.Dataset` of inputs or, with a label, of tuples `(inputs, labels)`; see
        `multimodal_dataset`.

    Example:

    >>> import os, tempfile
    >>> from keras_mmfusion.datasets import NumberColumn, TextColumn, multimodal_table_dataset
    >>> path = os.path.join(tempfile.mkdtemp(), "reviews.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("review,price,stars\\nA good lamp.,20,5\\n,7.5,2\\n")
    >>> dataset = multimodal_table_dataset(
    ...     path,
    ...     columns={"review": TextColumn(), "price": NumberColumn()},
    ...     label=NumberColumn("stars"),
    ...     shuffle=False,
    ... )
    >>> ((inputs, stars),) = dataset.as_numpy_iterator()
    >>> inputs["review"].tolist(), inputs["review_mask"].tolist()
    ([b'A good lamp.', b''], [True, False])
    >>> inputs["price"].tolist(), stars.tolist()
    ([[20.0], [7.5]], [[5.0], [2.0]])
    """
    rows = read_multimodal_table(path, columns, label, split)
    return multimodal_dataset(rows, batch_size, shuffle, seed, cache)


@dataclasses.dataclass(frozen=True, repr=False)
class MultimodalRows:
    """The rows of a table of modalities, before files are decoded.

    Args:
        columns: dict, modality -> column.
        values: dict, modality -> list with a value for each row: a text, an array, the path of a
            file as bytes, or the `blank` value of the column if the modality is missing.
        masks: dict, modality -> bool array `(rows,)`, `False` where the modality is missing.
        label: the column of the labels, or `None`.
        labels: list with a label for each row, or `None`.
    """

    columns: dict
    values: dict
    masks: dict
    label: object = None
    labels: list = None

    def __len__(self):
        return len(next(iter(self.masks.values())))

    def __repr__(self):
        label = None if self.label is None else self.label.name
        return short_repr(self, rows=len(self), columns=list(self.columns), label=label)

    def select(self, rows):
        """Selects rows, such as those of a fold.

        Args:
            rows: bool array `(rows,)`, or int array of row indices.

        Returns:
            `MultimodalRows`.
        """
        indices = np.arange(len(self))[rows]
        return MultimodalRows(
            self.columns,
            {name: [values[index] for index in indices] for name, values in self.values.items()},
            {name: mask[indices] for name, mask in self.masks.items()},
            self.label,
            None if self.labels is None else [self.labels[index] for index in indices],
        )


def read_multimodal_table(path, columns, label=None, split=None):
    """Reads a table with a column for each modality. Files in the table are checked, not decoded.

    A cell that is empty, or missing in a line of JSON, is a missing modality.

    Args:
        path: string or path of a CSV file with a header (`.csv`), or of a file with a JSON object
            on each line; or a pandas `DataFrame`, where `None`, `NaN` and `NA` are missing. Paths
            in the table are relative to its folder, in a `DataFrame` to the working directory.
        columns: dict, modality -> `ImageColumn`, `TextColumn`, `AudioColumn`, `ArrayColumn`,
            `NumberColumn`, `CategoryColumn` or `RecordColumns`.
        label: one of these columns with a name and no empty cells, or `None` for no labels.
        split: string. Selects the rows with this value in the column `split`, or `None` for all
            rows.

    Returns:
        `MultimodalRows`, in the order of the table.

    Raises:
        ValueError: if a column is missing, the table has no rows, or a cell is invalid or contains
            the path of a missing file; the message contains the lines and columns.
    """
    if not isinstance(columns, dict):
        raise ValueError(
            "`columns` must be a dict, modality -> column, such as {'review': TextColumn()}. "
            f"Received: {columns!r}"
        )
    for name, column in {**columns, "label": label}.items():
        if not isinstance(column, Column) and (column is not None or name in columns):
            raise ValueError(
                f"The column of {name!r} must be a column, such as TextColumn(). Received: "
                f"{column!r}"
            )
    split = None if split is None else strip_split_name(split)
    if not columns or (label is not None and not label.name):
        raise ValueError("`columns` must have a modality, and `label` must have a name.")
    table = Table(path)
    rows = list(table.read_rows())
    _check_columns(table.name, rows, columns, label, split)
    if split is not None:
        rows = [(line, row) for line, row in rows if _strip(row.get("split")) == split]
    problems = []

    def read(column, line, row, modality):
        try:
            value = column.read(row, modality, table.folder)
            if value is None and column is label:
                raise ValueError(f"column {label.name!r}: a label is missing")
            return value
        except ValueError as error:
            problems.append(f"{table.unit} {line}, {error}")

    cells = {name: [read(column, *row, name) for row in rows] for name, column in columns.items()}
    labels = None if label is None else [read(label, *row, label.name) for row in rows]
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"Invalid cells in {table.name}: {'; '.join(problems[:3])}{more}.")
    return MultimodalRows(
        columns=dict(columns),
        values={
            name: [columns[name].blank if value is None else value for value in values]
            for name, values in cells.items()
        },
        masks={
            name: np.array([value is not None for value in values])
            for name, values in cells.items()
        },
        label=label,
        labels=labels,
    )


def _check_columns(name, rows, columns, label, split):
    """Checks that the table has rows, the columns and the split."""
    known = dict.fromkeys(name for _, row in rows for name in row)
    required = [name for modality, column in columns.items() for name in column.get_names(modality)]
    required += [] if label is None else [label.name]
    required += [] if split is None else ["split"]
    missing = [name for name in required if name not in known]
    if missing:
        raise ValueError(
            f"{name} has no column {', '.join(map(repr, missing))}. Its columns: "
            f"{', '.join(map(repr, known)) or 'none, since it has no rows'}"
        )
    splits = [_strip(row.get("split")) for _, row in rows]
    if split is not None and split not in splits:
        values = ", ".join(dict.fromkeys(map(repr, splits)))
        raise ValueError(
            f"`split` must be a value of the column 'split' of {name}: {values}. "
            f"Received: {split!r}"
        )


def _strip(cell):
    return cell.strip() if isinstance(cell, str) else cell


def multimodal_dataset(rows, batch_size=32, shuffle=True, seed=0, cache=False):
    """Reads the files of the rows in parallel, and batches all modalities with their masks.

    Args:
        rows: `MultimodalRows`.
        batch_size: int.
        shuffle: bool. Whether to visit the rows in a new random order each epoch.
        seed: int. The seed of the order.
        cache: bool. Whether to keep the decoded rows in memory after the first epoch.

    Returns:
        A `tf.data.Dataset` of dicts or, with labels, of tuples `(inputs, labels)`. A dict contains
        the tensor of each modality, see its column, and `"<modality>_mask"`, bool `(batch,)`,
        `False` for missing modalities; or bool `(batch, tokens)` for a variable number of tokens,
        `False` for padding too. The last batch may be smaller.
    """
    import tensorflow as tf

    parallel = tf.data.AUTOTUNE
    with tf.device("cpu"):
        values = {name: _constant(x) for name, x in rows.values.items()}
        masks = {name: tf.constant(x) for name, x in rows.masks.items()}
        labels = None if rows.label is None else _constant(rows.labels)

    def load(row):
        inputs = {}
        for name, column in rows.columns.items():
            mask = masks[name][row]
            inputs[name] = column.load(values[name][row], mask)
            if column.shape[:1] == (None,):
                mask = tf.fill(tf.shape(inputs[name])[:1], mask)
            inputs[f"{name}_mask"] = mask
        return (
            inputs if labels is None else (inputs, rows.label.load(labels[row], tf.constant(True)))
        )

    dataset = tf.data.Dataset.range(len(rows))
    # A cached data set is read in a fixed order and shuffled after the cache.
    if shuffle and not cache:
        dataset = dataset.shuffle(len(rows), seed=seed)
    dataset = dataset.map(load, parallel)
    if cache:
        dataset = dataset.cache()
    if shuffle and cache:
        dataset = dataset.shuffle(len(rows), seed=seed)
    return dataset.padded_batch(batch_size).prefetch(parallel)


def _constant(values):
    import tensorflow as tf

    # An array of strings would need the memory of the longest string for each element.
    return tf.constant(np.stack(values) if isinstance(values[0], np.ndarray) else values)

"""Reads a table of nodes: ids and features."""

import dataclasses
from collections.abc import Hashable

import numpy as np

# For errors on node names where indices are expected.
NAMES_HINT = "Refer to nodes by index; `graph_from_tables` builds a graph from node names."


@dataclasses.dataclass(frozen=True)
class NodeTable:
    """Ids and features of nodes.

    Attributes:
        rows: dict, id -> row.
        features: float32 array `(nodes, dim)`.
    """

    rows: dict
    features: np.ndarray


def list_columns(table):
    """Returns the names of a table's columns, or `None` if it is not a table."""
    if isinstance(table, np.ndarray):
        return list(table.dtype.names) if table.dtype.names else None
    if isinstance(table, dict):
        return list(table)
    return list(table.columns) if hasattr(table, "columns") else None


def get_column(name, table, wanted):
    """Returns a column of a table as a list.

    Args:
        name: string. Name of the table for error messages.
        table: dict, `DataFrame` or structured array.
        wanted: name of the column.

    Raises:
        ValueError: if there is no such column.
    """
    names = list_columns(table)
    if wanted not in names:
        known = ", ".join(map(repr, names))
        raise ValueError(f"`{name}` has no column {wanted!r}. Its columns: {known}")
    values = table[wanted]
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def read_nodes(name, table, id_column, feature_columns):
    """Reads a table of nodes.

    Args:
        name: string. Name of the table for error messages.
        table: dict, `DataFrame` or structured array.
        id_column: string.
        feature_columns: list of strings; `None` for all columns but the ids.

    Returns:
        A `NodeTable`.

    Raises:
        ValueError: if a column is missing, an id is missing or occurs twice, or a feature is not
            a finite number.
    """
    names = list_columns(table)
    if names is None:
        raise ValueError(
            f"`{name}` must be a table: a DataFrame, a dict of columns, or a structured array. "
            f"Received: {type(table).__name__}"
        )
    rows = _index_ids(name, id_column, get_column(name, table, id_column))
    if feature_columns is None:
        feature_columns = [each for each in names if each != id_column]
    if isinstance(feature_columns, str):
        feature_columns = [feature_columns]
    if not len(feature_columns):
        raise ValueError(f"`{name}` must have feature columns besides {id_column!r}.")
    features = [
        _read_features(name, each, get_column(name, table, each), len(rows))
        for each in feature_columns
    ]
    return NodeTable(rows, np.concatenate(features, axis=1).astype("float32"))


def is_missing(value):
    """Returns whether a cell is empty: `None`, NaN or an empty string."""
    if value is None or (isinstance(value, str) and not value):
        return True
    try:
        return bool(value != value)  # NaN is not equal to itself.
    except (TypeError, ValueError):  # pandas' NA, whose comparison has no truth value.
        return True


def _index_ids(name, id_column, ids):
    """Returns a dict, id -> row."""
    rows = {}
    for row, each in enumerate(ids):
        if is_missing(each):
            raise ValueError(f"`{name}` has no id in row {row} of {id_column!r}: {each!r}")
        if not isinstance(each, Hashable):
            raise ValueError(
                f"`{name}` must have ids such as strings or integers. {id_column!r} has "
                f"{each!r} in row {row}."
            )
        if each in rows:
            raise ValueError(
                f"`{name}` must have unique ids. {id_column!r} has {each!r} in the rows "
                f"{rows[each]} and {row}."
            )
        rows[each] = row
    return rows


def _read_features(name, feature, values, count):
    """Returns features `(nodes, dim)` from a column of numbers or of vectors."""
    if len(values) != count:
        raise ValueError(
            f"`{name}` must have {count} values in each column, one per id. {feature!r} has "
            f"{len(values)}."
        )
    try:
        numbers = np.array(values)
    except ValueError:  # Vectors of different lengths.
        numbers = np.zeros((), "object")
    if numbers.dtype.kind not in "biuf" or numbers.ndim not in (1, 2):
        row, wrong = next(
            ((i, x) for i, x in enumerate(values) if np.asarray(x).dtype.kind not in "biuf"),
            (None, None),
        )
        received = "vectors of different lengths" if row is None else f"{wrong!r} in row {row}"
        raise ValueError(
            f"`{name}` must have numbers as features, or vectors of one length. {feature!r} has "
            f"{received}. Encode them, or list the numeric columns in `feature_columns`."
        )
    numbers = numbers.reshape(count, *numbers.shape[1:] or (1,)).astype("float64")
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if bad.size:
        raise ValueError(
            f"`{name}` must have finite numbers as features. {feature!r} has {values[bad[0]]!r} in "
            f"row {bad[0]}. Fill in missing values first."
        )
    return numbers

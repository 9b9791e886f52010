"""Reads edges whose endpoints are node ids."""

import dataclasses
from collections.abc import Hashable

import numpy as np

from keras_mmfusion.graphs.edge_arrays import cast_edges
from keras_mmfusion.graphs.table_nodes import get_column, is_missing, list_columns


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One endpoint of the edges of a table.

    Attributes:
        table: string. Name of the table of nodes, for error messages.
        column: string. The edges' column.
        rows: dict, node id -> row in the table of nodes.
    """

    table: str
    column: str
    rows: dict


def read_edges(name, edges, source, target, weight_column=None):
    """Reads edges from pairs of ids or a table.

    Args:
        name: string. Name of the edges for error messages.
        edges: sequence of pairs of ids, or a table.
        source, target: `Endpoint`.
        weight_column: string or `None`.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`, or `None` without
        a `weight_column`.

    Raises:
        ValueError: if a column is missing, an id is unknown, or a weight is not a finite number.
    """
    weight = None
    if list_columns(edges) is not None:
        ids = [get_column(name, edges, end.column) for end in (source, target)]
        if weight_column is not None:
            weight = _read_weights(name, weight_column, get_column(name, edges, weight_column))
    else:
        if weight_column is not None:
            raise ValueError(
                f"`{name}` must be a table to have a `weight_column`: a DataFrame or a dict with "
                f"{source.column!r}, {target.column!r} and {weight_column!r}. Received pairs."
            )
        ids = _read_pairs(name, edges)
    rows = [_find_rows(name, end, each) for end, each in zip((source, target), ids, strict=True)]
    lengths = {len(each) for each in (*rows, *([] if weight is None else [weight]))}
    if len(lengths) > 1:
        raise ValueError(
            f"`{name}` must have columns of equal length. Received lengths: {sorted(lengths)}"
        )
    edge_index, _ = cast_edges(*rows, ())
    return edge_index, weight


def _read_pairs(name, edges):
    edges = edges.tolist() if isinstance(edges, np.ndarray) else list(edges)
    for row, edge in enumerate(edges):
        if isinstance(edge, str) or not hasattr(edge, "__len__") or len(edge) != 2:
            raise ValueError(
                f"`{name}` must be (source, target) pairs of ids, or a table. Received in row "
                f"{row}: {edge!r}"
            )
    return [[edge[end] for edge in edges] for end in (0, 1)]


def _find_rows(name, end, ids):
    """Returns the row of each id in the table of nodes."""
    for row, each in enumerate(ids):
        if is_missing(each) or not isinstance(each, Hashable) or each not in end.rows:
            raise ValueError(
                f"`{name}` must refer to ids of `{end.table}`. Unknown {end.column} in row {row}: "
                f"{each!r}.{_describe_other_type(end, each)}"
            )
    return np.array([end.rows[each] for each in ids], "int32")


def _describe_other_type(end, wanted):
    """Returns a hint if the id exists with another type, such as 7 and "7"."""
    for each in end.rows:
        if str(each) == str(wanted):
            known, received = type(each).__name__, type(wanted).__name__
            return f" `{end.table}` has {each!r}: its ids are {known}, not {received}."
    return ""


def _read_weights(name, weight_column, values):
    weight = np.array(values)
    if weight.size == 0:
        return np.zeros(0, "float32")
    if weight.dtype.kind not in "biuf" or weight.ndim != 1:
        raise ValueError(
            f"`{name}` must have numbers in {weight_column!r}. Received, for example: {values[0]!r}"
        )
    bad = np.flatnonzero(~np.isfinite(weight))
    if bad.size:
        raise ValueError(
            f"`{name}` must have finite weights. {weight_column!r} has {values[bad[0]]!r} in row "
            f"{bad[0]}."
        )
    return weight.astype("float32")

"""A table of edges, whose ends are ids of nodes."""

import dataclasses
from collections.abc import Hashable

import numpy as np

from keras_mmfusion.graphs.edge_arrays import edges_of
from keras_mmfusion.graphs.table_nodes import column, column_names, is_missing


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One end of a table's edges.

    Attributes:
        table: string. The table of its nodes, for error messages.
        column: string. The edges' column.
        rows: dict, id -> row of that table.
    """

    table: str
    column: str
    rows: dict


def read_edges(name, edges, source, target, weight_column=None):
    """Reads edges.

    Args:
        name: string. The edges for error messages.
        edges: a sequence of pairs of ids, or a table.
        source, target: `Endpoint`.
        weight_column: string or `None`.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`, or `None` without
        a `weight_column`.

    Raises:
        ValueError: if a column is missing, an id unknown, or a weight no finite number.
    """
    weight = None
    if column_names(edges) is not None:
        ids = [column(name, edges, end.column) for end in (source, target)]
        if weight_column is not None:
            weight = _weights(name, weight_column, column(name, edges, weight_column))
    else:
        if weight_column is not None:
            raise ValueError(
                f"`{name}` must be a table to have a `weight_column`: a DataFrame or a dict with "
                f"{source.column!r}, {target.column!r} and {weight_column!r}. Received pairs."
            )
        ids = _pairs(name, edges)
    places = [_places(name, end, each) for end, each in zip((source, target), ids, strict=True)]
    lengths = {len(each) for each in (*places, *([] if weight is None else [weight]))}
    if len(lengths) > 1:
        raise ValueError(
            f"`{name}` must have columns of one length. Received the lengths: {sorted(lengths)}"
        )
    edge_index, _ = edges_of(*places, ())
    return edge_index, weight


def _pairs(name, edges):
    edges = edges.tolist() if isinstance(edges, np.ndarray) else list(edges)
    for row, edge in enumerate(edges):
        if isinstance(edge, str) or not hasattr(edge, "__len__") or len(edge) != 2:
            raise ValueError(
                f"`{name}` must be pairs of ids, (source, target), or a table. Received in row "
                f"{row}: {edge!r}"
            )
    return [[edge[end] for edge in edges] for end in (0, 1)]


def _places(name, end, ids):
    """The row of each id in the table of nodes."""
    for row, each in enumerate(ids):
        if is_missing(each) or not isinstance(each, Hashable) or each not in end.rows:
            raise ValueError(
                f"`{name}` must be between ids of `{end.table}`. The {end.column} of row {row} is "
                f"{each!r}, which is none of them.{_other_type(end, each)}"
            )
    return np.array([end.rows[each] for each in ids], "int32")


def _other_type(end, wanted):
    """A hint where the same id is there as another type, such as 7 and "7"."""
    for each in end.rows:
        if str(each) == str(wanted):
            kinds = type(each).__name__, type(wanted).__name__
            return f" There is {each!r}: ids are {kinds[0]} there, and {kinds[1]} here."
    return ""


def _weights(name, weight_column, values):
    weight = np.array(values)
    if weight.size == 0:
        return np.zeros(0, "float32")
    if weight.dtype.kind not in "biuf" or weight.ndim != 1:
        raise ValueError(
            f"`{name}` must have numbers in {weight_column!r}. Received for example: {values[0]!r}"
        )
    bad = np.flatnonzero(~np.isfinite(weight))
    if bad.size:
        raise ValueError(
            f"`{name}` must have finite weights. {weight_column!r} has {values[bad[0]]!r} in row "
            f"{bad[0]}."
        )
    return weight.astype("float32")

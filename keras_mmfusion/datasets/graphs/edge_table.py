"""Reads a graph from a table of edges with string ids, and a table of nodes."""

import numpy as np

from keras_mmfusion.datasets.io.annotations import warn_skipped
from keras_mmfusion.datasets.io.identifiers import check_ids
from keras_mmfusion.datasets.io.table_rows import Table
from keras_mmfusion.graphs.attributed_graph import AttributedGraph


def read_edge_table(edges, nodes=None, source="source", target="target"):
    """Reads an undirected graph from a table of edges, and the attributes of nodes from another.

    Repeated edges, also in the opposite direction, and self-loops are skipped with a warning that
    names them.

    Args:
        edges: string or path of a CSV or JSON lines file, or a pandas `DataFrame`, with an edge in
            each row.
        nodes: the same with the columns `id` and `attributes`: words separated by spaces, such as
            `"chess hiking age:30-39"`. An attribute may be empty. By default, the nodes are those
            of the edges, in the order of their ids, and each has its identity as its attribute.
        source, target: strings. The columns of the ids in `edges`.

    Returns:
        `AttributedGraph`, without labels. Attributes are the distinct words in alphabetical order.

    Raises:
        OSError: if a file does not exist.
        ValueError: if a column is missing, an id is missing, repeated in `nodes`, or unknown; the
            message contains the line and the id.

    Example:

    >>> import pandas as pd
    >>> from keras_mmfusion.datasets import read_edge_table
    >>> friends = pd.DataFrame({"source": ["ann", "bob"], "target": ["bob", "eve"]})
    >>> attributes = ["chess", "", "chess go"]
    >>> people = pd.DataFrame({"id": ["ann", "bob", "eve"], "attributes": attributes})
    >>> read_edge_table(friends, people)
    AttributedGraph(nodes=3, edges=2, attributes=2, entries=3)
    """
    if nodes is not None:
        words = _read_nodes(nodes)
        index = {each: node for node, each in enumerate(words)}
        pairs = read_edge_rows(edges, source, target, index)
        return AttributedGraph(np.array(list(words)), pairs, **_index_words(list(words.values())))
    table = Table(edges, (source, target))
    lines, ends = _read_ends(table, source, target)
    ids = sorted({*ends[0], *ends[1]})
    pairs = _find_edges(lines, ends, {each: node for node, each in enumerate(ids)}, table)
    nothing = {"attribute_index": np.zeros((2, 0), "int32"), "attribute_values": np.zeros(0)}
    return AttributedGraph(np.array(ids), pairs, **nothing, num_attributes=0).without_attributes()


def read_edge_rows(edges, source, target, index):
    """Reads edges between known nodes; see `read_edge_table`.

    Args:
        edges: string, path or `DataFrame`.
        source, target: strings. The columns of the ids.
        index: dict, id -> node.

    Returns:
        int32 array `(2, edges)`, each edge once.
    """
    table = Table(edges, (source, target))
    lines, ends = _read_ends(table, source, target)
    return _find_edges(lines, ends, index, table)


def read_links(table, graph, source="source", target="target"):
    """Reads links between the nodes of a graph, such as new friendships to score.

    Args:
        table: string or path of a CSV or JSON lines file, or a pandas `DataFrame`.
        graph: `AttributedGraph`.
        source, target: strings. The columns of the ids.

    Returns:
        int32 array `(2, links)`. Repeated links and self-loops are skipped with a warning.

    Raises:
        ValueError: if an id is unknown or missing, or there are no links.
    """
    index = {each: node for node, each in enumerate(graph.node_ids.tolist())}
    return read_edge_rows(table, source, target, index)


def _read_ends(table, source, target):
    """Returns the line of each row, and a list of ids for each end."""
    lines, ends = [], ([], [])
    for line, row in table.read_rows():
        lines.append(line)
        for ids, column in zip(ends, (source, target), strict=True):
            ids.append(row.get(column))
    if not lines:
        raise ValueError(f"{table.name} has no rows; it must have an edge in each row.")
    return lines, tuple(
        check_ids(ids, f"The column {column!r} of {table.name}", table.unit, lines).tolist()
        for ids, column in zip(ends, (source, target), strict=True)
    )


def _find_edges(lines, ends, index, table):
    """Returns the distinct edges as node indices, and warns about those that are skipped."""
    seen, loops, repeated = {}, [], []
    for line, first, second in zip(lines, *ends, strict=True):
        for each in (first, second):
            if each not in index:
                raise ValueError(
                    f"{table.name}, {table.unit} {line}: the node {each!r} is unknown. The graph "
                    f"has {len(index)} nodes, such as {next(iter(index), None)!r}."
                )
        pair = (index[first], index[second])
        if first == second:
            loops.append(first)
        elif pair in seen or pair[::-1] in seen:
            repeated.append(f"{first} - {second}")
        else:
            seen[pair] = None
    warn_skipped(f"self-loops of {table.name}", loops)
    warn_skipped(f"repeated edges of {table.name}", repeated)
    return np.array(list(seen), "int32").reshape(-1, 2).T


def _read_nodes(nodes):
    """Returns a dict, id -> list of words."""
    table = Table(nodes, ("id", "attributes"))
    lines, ids, words = [], [], []
    for line, row in table.read_rows():
        lines.append(line)
        ids.append(row.get("id"))
        words.append(sorted(set(str(row.get("attributes") or "").split())))
    if not ids:
        raise ValueError(f"{table.name} has no rows; it must have a node in each row.")
    ids = check_ids(ids, f"The column 'id' of {table.name}", table.unit, lines).tolist()
    first = {}
    for line, each in zip(lines, ids, strict=True):
        if each in first:
            raise ValueError(
                f"{table.name}, {table.unit} {line}: the id {each!r} is repeated, first in "
                f"{table.unit} {first[each]}. Remove one of the rows."
            )
        first[each] = line
    if not any(words):
        raise ValueError(
            f"{table.name} has no attributes in any row. Omit `nodes` for a graph without them."
        )
    return dict(zip(ids, words, strict=True))


def _index_words(words):
    """Returns the attribute arguments of an `AttributedGraph` from a list of words per node."""
    vocabulary = {word: i for i, word in enumerate(sorted({w for each in words for w in each}))}
    pairs = [(node, vocabulary[word]) for node, each in enumerate(words) for word in each]
    index = np.array(pairs, "int32").reshape(-1, 2).T
    return {
        "attribute_index": index,
        "attribute_values": np.ones(index.shape[1]),
        "num_attributes": len(vocabulary),
    }

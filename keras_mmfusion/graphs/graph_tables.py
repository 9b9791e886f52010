"""Graphs from tables of named nodes."""

import numpy as np

from keras_mmfusion.graphs.multimodal_graph import MultimodalGraph
from keras_mmfusion.graphs.table_edges import Endpoint, read_edges
from keras_mmfusion.graphs.table_nodes import read_nodes


def graph_from_tables(
    nodes,
    edges,
    id_column="id",
    feature_columns=None,
    source_column="source",
    target_column="target",
    weight_column=None,
    undirected=False,
):
    """Builds the input dict of graph layers from a table of nodes and a table of edges.

    Row `i` of the nodes becomes node `i`; edges refer to nodes by id.

    Args:
        nodes: table: a pandas `DataFrame`, a dict, column -> sequence, or a structured array. Ids
            are strings, integers or other hashable values.
        edges: sequence of `(source, target)` pairs of ids, or a table.
        id_column: string. Column of node ids.
        feature_columns: list of strings. Numeric columns of the nodes, in the order of the
            features; a column may hold vectors. Defaults to all columns but the ids.
        source_column, target_column: strings. Columns of the ids, if `edges` is a table.
        weight_column: string. Column of edge weights. Defaults to no weights.
        undirected: bool. Whether to add the reverse of each edge.

    Returns:
        A dict: `"node_features"`, float32 `(nodes, dim)`; `"edge_index"`, int32 `(2, edges)`; and
        with a `weight_column` `"edge_weight"`, float32 `(edges,)`.

    Raises:
        ValueError: if a column is missing, an id occurs twice or is unknown, or a feature or
            weight is not a finite number. The message names the table, the row and the column.

    Example:

    >>> from keras_mmfusion.layers.graph import graph_from_tables
    >>> papers = {"id": ["p7", "p9", "p4"], "year": [1999, 2004, 2001], "pages": [8, 12, 9]}
    >>> graph = graph_from_tables(papers, [("p9", "p7"), ("p9", "p4")])
    >>> graph["edge_index"].tolist()
    [[1, 1], [0, 2]]
    >>> graph["node_features"].shape
    (3, 2)
    """
    table = read_nodes("nodes", nodes, id_column, feature_columns)
    source = Endpoint("nodes", source_column, table.rows)
    target = Endpoint("nodes", target_column, table.rows)
    edge_index, edge_weight = read_edges("edges", edges, source, target, weight_column)
    if undirected:
        edge_index, edge_weight = _add_reversed(edge_index, edge_weight)
    graph = {"node_features": table.features, "edge_index": edge_index}
    return graph if edge_weight is None else {**graph, "edge_weight": edge_weight}


def multimodal_graph_from_tables(
    nodes,
    edges,
    id_column="id",
    feature_columns=None,
    source_column="source",
    target_column="target",
    weight_column=None,
):
    """Builds a `MultimodalGraph` from a table of nodes per modality and edges per relation.

    Args:
        nodes: dict, modality -> table as for `graph_from_tables`. Ids are local to a modality: the
            same id in two modalities refers to two nodes.
        edges: dict, `(source modality, name, target modality)` -> edges as for
            `graph_from_tables`.
        id_column: string. Column of ids in each table of nodes.
        feature_columns: dict, modality -> list of strings. Defaults to all columns but the ids.
        source_column, target_column: strings. Columns of the ids, if the edges are a table.
        weight_column: string. Column of edge weights. Defaults to weights of 1.

    Returns:
        A `MultimodalGraph`.

    Raises:
        ValueError: as `graph_from_tables`, and if a relation has an unknown modality.

    Example:

    >>> from keras_mmfusion.layers.graph import multimodal_graph_from_tables
    >>> nodes = {
    ...     "user": {"id": ["ann", "bob"], "age": [31, 42]},
    ...     "post": {"id": ["x", "y", "z"], "length": [3, 14, 15], "likes": [9, 2, 6]},
    ... }
    >>> edges = {("user", "wrote", "post"): [("ann", "y"), ("bob", "x"), ("bob", "z")]}
    >>> print(multimodal_graph_from_tables(nodes, edges))
    MultimodalGraph
      user: 2 nodes, 1 dims
      post: 3 nodes, 2 dims
      user -- wrote -> post: 3 edges
    """
    columns = feature_columns or {}
    tables = {
        modality: read_nodes(f"nodes[{modality!r}]", table, id_column, columns.get(modality))
        for modality, table in nodes.items()
    }
    graph = MultimodalGraph({modality: table.features for modality, table in tables.items()})
    for relation, each in edges.items():
        ends = relation[::2] if isinstance(relation, tuple) and len(relation) == 3 else ()
        unknown = [end for end in ends if end not in tables]
        if not ends or unknown:
            raise ValueError(
                "`edges` must be a dict, (source modality, name, target modality) -> edges, with "
                f"the modalities {', '.join(map(repr, tables))}. Received the relation: "
                f"{relation!r}"
            )
        source, target = (
            Endpoint(f"nodes[{modality!r}]", column, tables[modality].rows)
            for modality, column in zip(ends, (source_column, target_column), strict=True)
        )
        graph.add_edges(
            relation, *read_edges(f"edges[{relation!r}]", each, source, target, weight_column)
        )
    return graph


def _add_reversed(edge_index, edge_weight):
    """Adds the reverse of each edge except self-loops."""
    reversible = edge_index[0] != edge_index[1]
    edge_index = np.concatenate([edge_index, edge_index[::-1, reversible]], axis=1)
    if edge_weight is not None:
        edge_weight = np.concatenate([edge_weight, edge_weight[reversible]])
    return edge_index, edge_weight

"""Graphs out of tables whose nodes have names, by NumPy alone."""

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
    """Makes the dict that graph layers take of a table of nodes and a table of edges.

    Row `i` of the nodes becomes node `i`, whatever its id is; edges name their nodes by ids.

    Args:
        nodes: a table: a pandas `DataFrame`, a dict, column -> sequence, or a structured array.
            Ids are strings, integers or anything else that can be looked up.
        edges: a sequence of pairs of ids, `(source, target)`; or a table of them.
        id_column: string. The nodes' column of ids.
        feature_columns: list of strings. The nodes' columns of numbers, in the order in which they
            become features; a column may have a vector in each row. Defaults to all but the ids.
        source_column, target_column: strings. The edges' columns of ids, if they are a table.
        weight_column: string. The edges' column of weights. Without, there are none.
        undirected: bool. Whether each edge goes both ways.

    Returns:
        A dict: `"node_features"`, float32 `(nodes, dim)`; `"edge_index"`, int32 `(2, edges)`; and
        with a `weight_column` `"edge_weight"`, float32 `(edges,)`.

    Raises:
        ValueError: if a column is missing, an id occurs twice or is unknown, or a feature or
            weight is no finite number; the message names the table, the row and the column.

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
        edge_index, edge_weight = _both_ways(edge_index, edge_weight)
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
    """Makes a `MultimodalGraph` of a table of nodes for each modality, and edges of relations.

    Args:
        nodes: dict, modality -> table as for `graph_from_tables`. An id is of one modality: the
            same name in two modalities is two nodes.
        edges: dict, `(source modality, name, target modality)` -> edges as for
            `graph_from_tables`.
        id_column: string. The column of ids in each table of nodes.
        feature_columns: dict, modality -> list of strings. Modalities without an entry have all
            their columns but the ids.
        source_column, target_column: strings. The edges' columns of ids, if they are a table.
        weight_column: string. The edges' column of weights. Without, weights are 1.

    Returns:
        A `MultimodalGraph`.

    Raises:
        ValueError: as `graph_from_tables`, and if a relation is of an unknown modality.

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
                "`edges` must be a dict, (source modality, name, target modality) -> edges, of the "
                f"modalities {', '.join(map(repr, tables))}. Received the relation: {relation!r}"
            )
        source, target = (
            Endpoint(f"nodes[{modality!r}]", column, tables[modality].rows)
            for modality, column in zip(ends, (source_column, target_column), strict=True)
        )
        graph.add_edges(
            relation, *read_edges(f"edges[{relation!r}]", each, source, target, weight_column)
        )
    return graph


def _both_ways(edge_index, edge_weight):
    """Each edge and its way back; a loop is its own."""
    back = edge_index[0] != edge_index[1]
    edge_index = np.concatenate([edge_index, edge_index[::-1, back]], axis=1)
    if edge_weight is not None:
        edge_weight = np.concatenate([edge_weight, edge_weight[back]])
    return edge_index, edge_weight

"""Tests of graphs from tables of named nodes."""

import numpy as np
import pytest

from keras_mmfusion.datasets import LabeledGraph
from keras_mmfusion.layers.graph import (
    GCNLayer,
    MultimodalGraph,
    connect_pairs,
    graph_from_tables,
    multimodal_graph_from_tables,
)
from keras_mmfusion.layers.graph.core.graph_checks import check_graph

NODES = {"id": ["c", "a", "b"], "size": [1, 2, 3], "place": [[4, 5], [6, 7], [8, 9]]}
FEATURES = [[1, 4, 5], [2, 6, 7], [3, 8, 9]]
EDGES = {"source": ["a", "a", "b"], "target": ["b", "c", "b"], "count": [0.5, 2, 1]}
INDEX = [[1, 1, 2], [2, 0, 2]]


def assert_graph(graph, features=FEATURES, index=INDEX):
    assert graph["node_features"].dtype == "float32"
    assert graph["edge_index"].dtype == "int32"
    assert graph["node_features"].tolist() == features
    assert graph["edge_index"].tolist() == index


def test_tables_as_dicts():
    graph = graph_from_tables(NODES, EDGES)
    assert_graph(graph)
    assert sorted(graph) == ["edge_index", "node_features"]
    assert tuple(GCNLayer(4)(graph).shape) == (3, 4)


@pytest.mark.parametrize(
    "edges",
    [
        [("a", "b"), ("a", "c"), ("b", "b")],
        np.array([["a", "b"], ["a", "c"], ["b", "b"]]),
        np.array([["a", "b"], ["a", "c"], ["b", "b"]], dtype=object),
    ],
    ids=["list", "strings", "objects"],
)
def test_edges_as_pairs(edges):
    assert_graph(graph_from_tables(NODES, edges))


def test_weight_column_and_undirected_edges():
    graph = graph_from_tables(NODES, EDGES, weight_column="count", undirected=True)
    assert_graph(graph, index=[[1, 1, 2, 2, 0], [2, 0, 2, 1, 1]])  # Self-loops are not repeated.
    assert graph["edge_weight"].tolist() == [0.5, 2, 1, 0.5, 2]


def test_custom_column_names():
    nodes = {"name": [7, 5], "title": ["x", "y"], "b": [1.0, 2.0], "a": [True, False]}
    edges = {"from": [5], "to": [7]}
    graph = graph_from_tables(nodes, edges, "name", ["a", "b"], "from", "to")
    assert_graph(graph, features=[[1, 1], [0, 2]], index=[[1], [0]])


def test_tables_as_structured_arrays():
    nodes = np.array([("b", 1.0), ("a", 2.0)], dtype=[("id", "U1"), ("x", "f4")])
    assert_graph(graph_from_tables(nodes, [("a", "b")]), features=[[1], [2]], index=[[1], [0]])


def test_tables_as_data_frames():
    pandas = pytest.importorskip("pandas")
    nodes = pandas.DataFrame({"id": ["c", "a", "b"], "size": [1, 2, 3]}, index=[9, 8, 7])
    edges = pandas.DataFrame(EDGES)
    graph = graph_from_tables(nodes, edges, weight_column="count")
    assert_graph(graph, features=[[1], [2], [3]])
    assert graph["edge_weight"].tolist() == [0.5, 2, 1]
    nodes["id"] = pandas.array(["c", None, "b"], dtype="string")
    with pytest.raises(ValueError, match="`nodes` has no id in row 1 of 'id'"):
        graph_from_tables(nodes, edges)


def test_empty_edge_table():
    graph = graph_from_tables(NODES, [])
    assert graph["edge_index"].shape == (2, 0)
    assert tuple(GCNLayer(4)(graph).shape) == (3, 4)


def test_multimodal_graph_from_tables():
    nodes = {"user": {"id": ["a", "b"], "age": [1, 2]}, "post": NODES}
    edges = {("user", "wrote", "post"): EDGES, ("post", "after", "post"): [("a", "b")]}
    with pytest.raises(ValueError, match=r"refer to ids of `nodes\['post'\]`.* in row 0: 'x'"):
        multimodal_graph_from_tables(nodes, {("user", "wrote", "post"): [("a", "x")]})
    graph = multimodal_graph_from_tables(
        nodes, edges, weight_column=None, feature_columns={"post": ["size"]}
    )
    assert isinstance(graph, MultimodalGraph)
    assert graph.node_features["user"].tolist() == [[1], [2]]
    assert graph.node_features["post"].tolist() == [[1], [2], [3]]
    assert graph.edge_index["user", "wrote", "post"].tolist() == [[0, 0, 1], [2, 0, 2]]
    assert graph.edge_index["post", "after", "post"].tolist() == [[1], [2]]


def test_relation_with_unknown_modality_raises():
    with pytest.raises(
        ValueError, match=r"with the modalities 'post'.*: \('user', 'wrote', 'post'\)"
    ):
        multimodal_graph_from_tables({"post": NODES}, {("user", "wrote", "post"): []})


def make_nodes(**columns):
    return {**NODES, **columns}


@pytest.mark.parametrize(
    ("nodes", "edges", "settings", "message"),
    [
        (make_nodes(id=["a", "b", "a"]), EDGES, {}, "'id' has 'a' in the rows 0 and 2"),
        (make_nodes(id=["a", "", "b"]), EDGES, {}, "no id in row 1 of 'id': ''"),
        (make_nodes(id=["a", [1], "b"]), EDGES, {}, r"'id' has \[1\] in row 1"),
        (make_nodes(size=[1, 2]), EDGES, {}, "3 values in each column, one per id. 'size'"),
        (make_nodes(size=[1, "x", 3]), EDGES, {}, "'size' has 'x' in row 1. Encode them"),
        (make_nodes(size=[1, None, 3]), EDGES, {}, "'size' has None in row 1"),
        (make_nodes(size=[1, np.nan, 3]), EDGES, {}, "'size' has nan in row 1. Fill in"),
        (
            make_nodes(place=[[1], [2, 3], [4]]),
            EDGES,
            {},
            "'place' has vectors of different lengths",
        ),
        (
            NODES,
            EDGES,
            {"id_column": "name"},
            "no column 'name'. Its columns: 'id', 'size', 'place'",
        ),
        (NODES, EDGES, {"feature_columns": ["x"]}, "`nodes` has no column 'x'"),
        ({"id": ["a"]}, [], {}, "`nodes` must have feature columns besides 'id'"),
        ([("a", 1)], [], {}, "`nodes` must be a table: .* Received: list"),
        (NODES, [("a", "d")], {}, "Unknown target in row 0: 'd'.$"),
        (NODES, [("a", "b"), (None, "b")], {}, "Unknown source in row 1: None"),
        (NODES, ["ab"], {}, "`edges` must be .* pairs of ids.* row 0: 'ab'"),
        (NODES, [("a", "b", "c")], {}, "`edges` must be .* pairs of ids"),
        (
            NODES,
            {"from": ["a"], "target": ["b"]},
            {},
            "`edges` has no column 'source'. Its columns",
        ),
        (NODES, {"source": ["a"], "target": []}, {}, r"columns of equal length.*: \[0, 1\]"),
        (NODES, [("a", "b")], {"weight_column": "w"}, "must be a table to have a `weight_column`"),
        (NODES, {**EDGES, "w": [1, "2", 3]}, {"weight_column": "w"}, "must have numbers in 'w'"),
        (NODES, {**EDGES, "w": [1, np.inf, 3]}, {"weight_column": "w"}, "'w' has inf in row 1"),
        (
            {"id": ["1", "2"], "x": [1, 2]},
            [("1", 2)],
            {},
            "in row 0: 2. `nodes` has '2': its ids are str, not int",
        ),
    ],
)
def test_invalid_tables_raise(nodes, edges, settings, message):
    with pytest.raises(ValueError, match=message):
        graph_from_tables(nodes, edges, **settings)


STRINGS = np.array([["a", "b"], ["b", "c"]])
HINT = "graph_from_tables"


@pytest.mark.parametrize(
    "use",
    [
        lambda: check_graph("GCNLayer", {"node_features": np.eye(3), "edge_index": STRINGS}),
        lambda: connect_pairs([("a", "b")]),
        lambda: MultimodalGraph({"a": np.eye(3)}).add_edges(("a", "r", "a"), STRINGS),
        lambda: LabeledGraph(np.eye(3), STRINGS, *[np.array([0, 1, 2])] * 4),
    ],
    ids=["layer", "connect_pairs", "add_edges", "labeled_graph"],
)
def test_names_instead_of_indices_raise_with_a_hint(use):
    with pytest.raises(ValueError, match=HINT):
        use()

import dataclasses

import numpy as np
import pytest

from keras_mmfusion.datasets import AttributedGraph

FRIENDS = AttributedGraph(
    node_ids=np.array(["ann", "bob", "eve", "kim"]),
    edges=np.array([[0, 2, 3], [1, 1, 0]]),
    attribute_index=np.array([[0, 2, 2], [1, 0, 1]]),
    attribute_values=np.array([1.0, 2.0, 3.0]),
    num_attributes=2,
    labels=np.array([0, 1, 1, -1]),
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_ids": ["a", "b", "a", "c"]}, "distinct ids. Repeated: a"),
        ({"edges": np.array([[0, 2], [1, 4]])}, r"`edges` must be in \[0, 4\)"),
        ({"edges": np.array([[-1], [1]])}, r"`edges` must be in \[0, 4\)"),
        ({"edges": np.array([[0.0], [1.0]])}, "`edges` must be integers"),
        ({"edges": np.array([[1, 2], [0, 2]])}, "self-loops. Received 1, first for node 'eve'"),
        ({"edges": np.array([[0, 1], [1, 0]])}, "1 are repeated, first 'ann' to 'bob'"),
        ({"attribute_index": np.array([[0, 2, 2], [1, 0, 2]])}, r"must be in \[0, 2\)"),
        ({"attribute_values": np.array([1.0, np.nan, 1.0])}, "Received: nan for node 'eve'"),
        ({"attribute_values": np.array([1.0])}, r"must have the shape \(3,\)"),
        ({"labels": np.array([0, 1])}, r"`labels` must have the shape \(4,\)"),
    ],
)
def test_invalid_graphs_are_rejected_with_the_ids_of_nodes(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FRIENDS, **changes)


def test_graph_without_attributes_has_the_identities_of_the_nodes():
    graph = FRIENDS.without_attributes().label_nodes([0], [1], [2])
    np.testing.assert_array_equal(graph.node_features, np.eye(4))
    assert FRIENDS.without_edges().edges.shape == (2, 0)


def test_labeled_graph_has_dense_attributes_and_both_directions():
    graph = FRIENDS.label_nodes([0], [1], [2])
    np.testing.assert_array_equal(graph.node_features, [[0, 1], [0, 0], [2, 3], [0, 0]])
    assert sorted(map(tuple, graph.edge_index.T.tolist())) == [
        (0, 1), (0, 3), (1, 0), (1, 2), (2, 1), (3, 0)
    ]  # fmt: skip
    with pytest.raises(ValueError, match="`labels` must be given"):
        dataclasses.replace(FRIENDS, labels=None).label_nodes([0], [1], [2])


def test_nodes_are_found_by_id():
    assert FRIENDS.find_nodes(["eve", "ann"]).tolist() == [2, 0]
    with pytest.raises(ValueError, match="such as 'ann'. Unknown: 'tom'"):
        FRIENDS.find_nodes(["bob", "tom"])

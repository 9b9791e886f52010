import numpy as np
import pytest

from keras_mmfusion.datasets import AttributedGraph, split_links, split_nodes
from keras_mmfusion.graphs.attributed_graph import number_pairs


def make_graph(nodes, edges):
    """A graph without attributes."""
    return AttributedGraph(
        np.arange(nodes).astype("str"), edges, np.zeros((2, 0), int), np.zeros(0), 1
    )


def make_random_graph(nodes=120, edges=600, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.integers(nodes, size=(edges, 2)), axis=1)
    return make_graph(nodes, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).T)


GRAPH = make_random_graph()
SPLIT = split_links(GRAPH, validation=0.1, test=0.2, negatives=8, seed=1)


def test_parts_are_disjoint_and_complete():
    parts = [SPLIT.train_edges, SPLIT.validation.links, SPLIT.test.links]
    numbers = np.concatenate([number_pairs(part, 120) for part in parts])
    np.testing.assert_array_equal(np.sort(numbers), np.sort(number_pairs(GRAPH.edges, 120)))
    total = GRAPH.edges.shape[1]
    assert [part.shape[1] for part in parts[1:]] == [round(0.1 * total), round(0.2 * total)]


@pytest.mark.parametrize("part", [SPLIT.validation, SPLIT.test])
@pytest.mark.parametrize("kind", ["random_targets", "hard_targets"])
def test_negatives_are_not_edges_of_any_part(part, kind):
    targets = getattr(part, kind)
    assert targets.shape == (part.links.shape[1], 8)
    sources = np.repeat(part.links[0], 8)
    assert not np.any(sources == targets.ravel())
    numbers = number_pairs(np.stack([sources, targets.ravel()]), 120)
    assert not np.isin(numbers, number_pairs(GRAPH.edges, 120)).any()


def test_hard_negatives_share_a_training_neighbor_with_the_source():
    adjacency = np.zeros((120, 120), int)
    adjacency[tuple(SPLIT.train_edges)] = 1
    adjacency += adjacency.T
    common = (adjacency @ adjacency)[SPLIT.test.links[0][:, None], SPLIT.test.hard_targets]
    assert np.all(common > 0)
    random = (adjacency @ adjacency)[SPLIT.test.links[0][:, None], SPLIT.test.random_targets]
    assert np.mean(random > 0) < 0.8


def test_split_depends_only_on_the_seed():
    again = split_links(GRAPH, validation=0.1, test=0.2, negatives=8, seed=1)
    np.testing.assert_array_equal(again.test.hard_targets, SPLIT.test.hard_targets)
    other = split_links(GRAPH, validation=0.1, test=0.2, negatives=8, seed=2)
    assert not np.array_equal(other.test.links, SPLIT.test.links)


def test_source_without_neighbors_of_neighbors_gets_random_negatives():
    pairs = np.arange(40).reshape(2, 20)  # Twenty separate pairs.
    split = split_links(make_graph(40, pairs), 0.1, 0.1, negatives=3)
    for links, targets in ((split.test.links, split.test.hard_targets),):
        assert not np.any(links[0][:, None] == targets)
        assert not np.any(links[1][:, None] == targets)


def test_node_linked_to_almost_all_others_gets_the_remaining_one():
    star = np.stack([np.zeros(198, int), np.arange(1, 199)])
    split = split_links(make_graph(200, star), 0.05, 0.5, negatives=2, seed=3)
    from_center = split.test.links[0] == 0
    assert np.all(split.test.random_targets[from_center] == 199)


def test_impossible_splits_are_rejected():
    star = np.stack([np.zeros(30, int), np.arange(1, 31)])
    with pytest.raises(ValueError, match="not linked to '0', which is linked to all nodes"):
        split_links(make_graph(31, star), 0.1, 0.5)
    with pytest.raises(ValueError, match="must leave at least one edge to each part"):
        split_links(make_graph(4, np.array([[0, 1], [1, 2]])))
    with pytest.raises(ValueError, match="`test` must be between 0 and 1"):
        split_links(GRAPH, test=1.0)


def test_nodes_are_split_within_classes():
    labels = np.array([0] * 50 + [1] * 30 + [-1] * 20)
    train, validation, test = split_nodes(labels, 0.2, 0.1, seed=0)
    assert np.bincount(labels[train]).tolist() == [10, 6]
    assert np.bincount(labels[validation]).tolist() == [5, 3]
    both = np.concatenate([train, validation, test])
    np.testing.assert_array_equal(np.sort(both), np.arange(80))
    with pytest.raises(ValueError, match="Received: train=0.01 for 50 nodes of class 0"):
        split_nodes(labels, train=0.01)
    with pytest.raises(ValueError, match="must leave test nodes"):
        split_nodes(labels, 0.6, 0.4)

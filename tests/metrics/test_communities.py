import numpy as np
import pytest

from keras_mmfusion.metrics import modularity, normalized_mutual_information


def make_partitions(seed, nodes=80):
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=nodes)
    return labels, np.where(rng.random(nodes) < 0.6, labels, rng.integers(6, size=nodes))


def make_edges(seed, nodes=80):
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.integers(nodes, size=(300, 2)), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).T


@pytest.mark.parametrize("seed", range(3))
def test_mutual_information_follows_its_formula(seed):
    labels, communities = make_partitions(seed)
    mutual = 0.0
    for u in set(labels):
        for v in set(communities):
            both = np.mean((labels == u) & (communities == v))
            if both:
                mutual += both * np.log(both / np.mean(labels == u) / np.mean(communities == v))
    entropies = [
        -sum(np.mean(names == name) * np.log(np.mean(names == name)) for name in set(names))
        for names in (labels, communities)
    ]
    expected = 2 * mutual / sum(entropies)
    assert normalized_mutual_information(labels, communities) == pytest.approx(expected)


def test_mutual_information_of_special_partitions():
    names = ["x", "y", "x", "z"]
    assert normalized_mutual_information([3, 1, 3, 2], names) == pytest.approx(1)
    assert normalized_mutual_information([0, 0, 1, 1], [0, 1, 0, 1]) == 0
    assert normalized_mutual_information([0, 0], [1, 1]) == 1
    assert normalized_mutual_information([0, 0], [1, 2]) == 0
    with pytest.raises(ValueError, match="Received: 2 and 3"):
        normalized_mutual_information([0, 1], [0, 1, 2])


@pytest.mark.parametrize("seed", range(3))
def test_modularity_follows_its_formula(seed):
    edges, (_, groups) = make_edges(seed), make_partitions(seed)
    adjacency = np.zeros((80, 80))
    adjacency[tuple(edges)] = 1
    adjacency += adjacency.T
    degrees, total = adjacency.sum(axis=1), adjacency.sum()
    excess = adjacency - np.outer(degrees, degrees) / total
    expected = np.sum(excess[groups[:, None] == groups]) / total
    assert modularity(edges, groups) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(2))
def test_scores_equal_those_of_scikit_learn_and_networkx(seed):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    networkx = pytest.importorskip("networkx")
    labels, groups = make_partitions(seed)
    expected = sklearn_metrics.normalized_mutual_info_score(labels, groups)
    assert normalized_mutual_information(labels, groups) == pytest.approx(expected)
    edges = make_edges(seed)
    graph = networkx.Graph(edges.T.tolist())
    graph.add_nodes_from(range(80))
    parts = [set(np.flatnonzero(groups == each).tolist()) for each in np.unique(groups)]
    expected = networkx.community.modularity(graph, parts)
    assert modularity(edges, groups) == pytest.approx(expected)


@pytest.mark.parametrize("edges", [np.zeros((2, 0), int), np.zeros((3, 2), int), [[0.0], [1.0]]])
def test_invalid_edges_are_rejected(edges):
    with pytest.raises(ValueError, match=r"`edges` must be integers of the shape \(2, edges\)"):
        modularity(edges, [0, 1])


def test_node_without_community_is_rejected():
    with pytest.raises(ValueError, match=r"must be in \[0, 2\), for 2 nodes with a community"):
        modularity([[0], [2]], [0, 1])

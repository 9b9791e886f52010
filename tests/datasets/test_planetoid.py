import os
import pathlib

import numpy as np
import pytest
from datasets.planetoid_files import (
    pickle_array,
    pickle_graph,
    pickle_matrix,
    small_graph,
    write_planetoid,
)

from keras_mmfusion.datasets import LabeledGraph, read_planetoid


def test_reads_features_labels_splits_and_edges(tmp_path):
    data = read_planetoid(write_planetoid(tmp_path), "tiny")
    features, labels, _ = small_graph()
    np.testing.assert_array_equal(data.node_features, features)
    assert data.node_features.dtype == "float32"
    np.testing.assert_array_equal(data.labels, labels)
    assert data.num_classes == 3
    np.testing.assert_array_equal(data.train_nodes, [0, 1, 2])
    np.testing.assert_array_equal(data.validation_nodes, [3, 4, 5])
    np.testing.assert_array_equal(data.test_nodes, [6, 7, 9])
    pairs = {(node, (node + 1) % 7) for node in range(7)} | {(7, 0), (9, 2)}
    assert sorted(map(tuple, data.edge_index.T.tolist())) == sorted(
        pairs | {(target, source) for source, target in pairs}
    )


def test_missing_files_are_named(tmp_path):
    (write_planetoid(tmp_path) / "ind.tiny.tx").unlink()
    with pytest.raises(ValueError, match=r"`data_dir` must contain .*Missing: ind\.tiny\.tx\."):
        read_planetoid(tmp_path, "tiny")


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("x", pickle_matrix(np.ones((3, 5), "float32")), "are inconsistent"),
        ("ty", pickle_array(np.ones((2, 3), "int32")), "are inconsistent"),
        ("ally", pickle_array(np.ones(6, "int32")), "are inconsistent"),
        ("ally", pickle_graph({}), "are inconsistent"),
        ("graph", pickle_graph({0: [1], 2: [0]}), "a dict with a key for each node"),
        ("graph", pickle_array(np.ones(10)), "a dict with a key for each node"),
        ("graph", pickle_graph({i: [10] for i in range(10)}), "lists of nodes from 0 to 9"),
        ("graph", pickle_graph({i: [-1] for i in range(10)}), "lists of nodes from 0 to 9"),
        ("test.index", b"6\n7\n10\n", "3 different nodes from 6 to 9"),
        ("test.index", b"6\n7\n7\n", "3 different nodes from 6 to 9"),
        ("test.index", b"5\n6\n7\n", "3 different nodes from 6 to 9"),
        ("test.index", b"6\n7\n", "3 different nodes from 6 to 9"),
        ("test.index", b"six\n", "an index on each line"),
    ],
)
def test_inconsistent_files_are_rejected(tmp_path, part, content, message):
    (write_planetoid(tmp_path) / f"ind.tiny.{part}").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_planetoid(tmp_path, "tiny")


@pytest.mark.shared_data
def test_reads_cora():
    folder = os.environ.get("KERAS_MMFUSION_TEST_DATA")
    if folder is None:
        pytest.skip("KERAS_MMFUSION_TEST_DATA is not set")
    data = read_planetoid(pathlib.Path(folder) / "planetoid", "cora")
    assert data.node_features.shape == (2708, 1433)
    assert data.edge_index.shape == (2, 10556)
    assert np.bincount(data.labels).tolist() == [351, 217, 418, 818, 426, 298, 180]
    splits = data.train_nodes, data.validation_nodes, data.test_nodes
    assert [len(split) for split in splits] == [140, 500, 1000]


def labeled(**changes):
    parts = {
        "node_features": np.ones((4, 2), "float32"),
        "edge_index": np.array([[0, 1], [1, 0]]),
        "labels": np.array([0, 1, 1, -1]),
        "train_nodes": np.array([0]),
        "validation_nodes": np.array([1]),
        "test_nodes": np.array([2]),
    }
    return LabeledGraph(**{**parts, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_features": np.ones(4)}, "`node_features` must have 2 axes"),
        ({"labels": np.zeros(3, int)}, "`labels` must have 1 axes, the first of size 4"),
        ({"edge_index": np.zeros((3, 2), int)}, r"`edge_index` must have the shape \(2, edges\)"),
        ({"edge_index": np.array([[0], [4]])}, r"`edge_index` must be in \[0, 4\)"),
        ({"test_nodes": np.array([-1])}, r"`test_nodes` must be in \[0, 4\)"),
        ({"test_nodes": np.array([0])}, "must not overlap"),
        ({"test_nodes": np.array([3])}, "`labels` must have a class for each node of a split"),
    ],
)
def test_inconsistent_labeled_graphs_are_rejected(changes, message):
    assert labeled().num_classes == 2
    with pytest.raises(ValueError, match=message):
        labeled(**changes)


def test_list_of_test_nodes_may_have_a_byte_order_mark(tmp_path):
    path = write_planetoid(tmp_path) / "ind.tiny.test.index"
    path.write_bytes("\ufeff".encode() + path.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(read_planetoid(tmp_path, "tiny").test_nodes, [6, 7, 9])


def test_repr_shows_the_sizes():
    fields = "nodes=4, dim=2, edges=2, train_nodes=1, validation_nodes=1, test_nodes=1"
    assert repr(labeled()) == f"LabeledGraph({fields})"

import os
import pathlib
import warnings

import numpy as np
import pytest
from datasets.social_files import write_friends, write_npz, write_twitch

from keras_mmfusion.datasets import (
    read_attributed_npz,
    read_edge_table,
    read_links,
    read_twitch,
)


def test_npz_has_attributes_and_classes_from_0(tmp_path):
    graph = read_attributed_npz(write_npz(tmp_path / "graph.npz"))
    assert graph.node_ids.tolist() == ["0", "1", "2", "3"]
    labeled = graph.label_nodes([0], [1], [2])
    np.testing.assert_array_equal(
        labeled.node_features, [[1, 0, 2], [0, 0, 0], [0, 3, 0], [0, 0, 0]]
    )
    np.testing.assert_array_equal(labeled.labels, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": None}, "Missing: label"),
        ({"label": np.array([1, 2])}, "inconsistent with `feature_shape`"),
        ({"label": np.array([1.0, 2, 1, 2])}, "inconsistent"),
        ({"feature_shape": np.array(4)}, "must have two numbers"),
        ({"feature_indptr": np.array([0, 2, 1, 3, 3])}, "inconsistent"),
        ({"feature_indices": np.array([0, 2, 3])}, r"graph.npz.*must be in \[0, 3\)"),
        ({"edge_index": np.array([[0], [4]])}, r"`edges` must be in \[0, 4\)"),
        ({"edge_index": np.array([[0, 1], [1, 0]])}, "repeated, first '0' to '1'"),
        ({"label": np.array([{}], object)}, "must be an npz file of arrays"),
    ],
)
def test_inconsistent_npz_is_rejected(tmp_path, changes, message):
    path = write_npz(tmp_path / "graph.npz", **changes)
    with pytest.raises(ValueError, match=message):
        read_attributed_npz(path)


def test_twitch_is_read_in_the_order_of_node_numbers(tmp_path):
    graph = read_twitch(write_twitch(tmp_path))
    assert graph.node_ids.tolist() == ["0", "1", "2"]
    assert graph.labels.tolist() == [0, 1, 1]
    assert graph.attribute_index.tolist() == [[0, 0], [5, 7]]
    assert graph.num_attributes == 3170
    assert graph.edges.tolist() == [[0, 2], [2, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": "from,to\n0,9\n"}, "line 2: the node '9' is unknown"),
        ({"features": '{"9": [1]}'}, "unknown node '9'"),
        ({"features": '{"0": [3170]}'}, "attributes from 0 to 3169"),
        ({"features": "[]"}, "must be an object"),
        ({"target": "new_id,mature\n0,True\n0,True\n"}, "line 3: must have a new `new_id`"),
        ({"target": "new_id,mature\n0,yes\n"}, "`mature` True or False"),
        ({"target": "new_id,mature\n"}, "has no rows"),
    ],
)
def test_inconsistent_twitch_files_are_rejected(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_twitch(write_twitch(tmp_path, **changes))


def test_tables_have_string_ids_and_words(tmp_path):
    graph = read_edge_table(*write_friends(tmp_path))
    assert graph.node_ids.tolist() == ["eve", "ann", "bob", "kim"]
    assert graph.edges.tolist() == [[1, 2], [2, 0]]
    assert graph.attribute_index.tolist() == [[0, 0, 1, 3], [0, 1, 0, 0]]  # chess, go


def test_edges_alone_give_a_graph_of_identities(tmp_path):
    graph = read_edge_table(write_friends(tmp_path)[0])
    assert graph.node_ids.tolist() == ["ann", "bob", "eve"]
    assert graph.attribute_index.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_repeated_edges_and_loops_are_reported(tmp_path):
    edges = "source,target\nann,bob\nbob,ann\nann,bob\nkim,kim\n"
    paths = write_friends(tmp_path, edges)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = read_edge_table(*paths)
    messages = [str(each.message) for each in caught]
    assert messages[0].startswith("Skipped 1 self-loops of ")
    assert "'kim'" in messages[0]
    assert messages[1].startswith("Skipped 2 repeated edges of ")
    assert "'bob - ann'" in messages[1]
    assert graph.edges.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("edges", "nodes", "message"),
    [
        ("source,target\nann,tom\n", None, "line 2: the node 'tom' is unknown"),
        ("source,target\nann,\n", None, "column 'target' .* must not be missing"),
        ("source,target\n", None, "has no rows; it must have an edge"),
        ("from,to\nann,bob\n", None, "has no column 'source'"),
        (None, "id,attributes\nann,go\nann,\n", "line 3: the id 'ann' is repeated, first in line"),
        (None, "id,attributes\n", "must have a node in each row"),
        (None, "id,attributes\nann,\nbob,\neve,\n", "no attributes in any row"),
        (None, "id\nann\n", "has no column 'attributes'"),
    ],
)
def test_invalid_tables_are_rejected(tmp_path, edges, nodes, message):
    with pytest.raises(ValueError, match=message):
        read_edge_table(*write_friends(tmp_path, edges, nodes))


def test_links_refer_to_nodes_of_the_graph(tmp_path):
    graph = read_edge_table(*write_friends(tmp_path))
    (tmp_path / "new.csv").write_text("source,target\nkim,eve\n")
    assert read_links(tmp_path / "new.csv", graph).tolist() == [[3], [0]]
    (tmp_path / "new.csv").write_text("source,target\nkim,tom\n")
    with pytest.raises(ValueError, match="the node 'tom' is unknown"):
        read_links(tmp_path / "new.csv", graph)


DATA = pathlib.Path(os.environ.get("KERAS_MMFUSION_TEST_DATA", "")) / "social"


@pytest.mark.skipif(not DATA.is_dir(), reason="needs KERAS_MMFUSION_TEST_DATA with social/")
@pytest.mark.parametrize(
    ("name", "sizes", "classes"),
    [
        ("blogcatalog.npz", (5196, 171743, 8189), 6),
        ("flickr.npz", (7575, 239738, 12047), 9),
        ("twitch_DE", (9498, 153138, 3170), 2),
        ("twitch_ENGB", (7126, 35324, 3170), 2),
    ],
)
def test_published_graphs_have_the_published_sizes(name, sizes, classes):
    read = read_attributed_npz if name.endswith(".npz") else read_twitch
    graph = read(DATA / name)
    assert (graph.num_nodes, graph.edges.shape[1], graph.num_attributes) == sizes
    assert np.unique(graph.labels).tolist() == list(range(classes))

"""Conversion of GraphTensors, with the real TF-GNN in a separate process if it is installed."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_mmfusion.datasets.graphs.graph_tensor import (
    graph_from_tensor,
    graph_tensor_dataset,
    graph_to_tensor,
    import_tfgnn,
    write_graph_tensors,
)
from keras_mmfusion.layers.graph import GCNLayer, GraphMeanPooling, RGCNLayer

INSTALLED = importlib.util.find_spec("tensorflow_gnn") is not None
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") == "1"
real = pytest.mark.skipif(
    not (INSTALLED and LEGACY), reason="needs tensorflow-gnn and TF_USE_LEGACY_KERAS=1"
)
SHOWS, NEAR = ("image", "shows", "text"), ("image", "near", "image")


@pytest.mark.skipif(INSTALLED, reason="tensorflow-gnn is installed")
def test_error_names_the_missing_package():
    with pytest.raises(ImportError, match=r'pip install "keras-mmfusion\[gnn\]"'):
        graph_tensor_dataset("examples.tfrecord", "schema.pbtxt")


@pytest.mark.skipif(LEGACY, reason="TF_USE_LEGACY_KERAS=1 is set")
def test_error_names_the_environment_variable_of_legacy_keras(monkeypatch):
    monkeypatch.setattr(
        "keras_mmfusion.datasets.graphs.graph_tensor._is_installed", lambda name: True
    )
    with pytest.raises(ImportError, match="Set TF_USE_LEGACY_KERAS=1 in the environment"):
        import_tfgnn()


@pytest.mark.skipif(not INSTALLED or LEGACY, reason="needs tensorflow-gnn, not yet in use")
def test_this_file_passes_with_legacy_keras():
    subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        check=True,
        timeout=600,
    )


def homogeneous(nodes=4, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "node_features": rng.normal(size=(nodes, 3)).astype("float32"),
        "edge_index": rng.integers(0, nodes, (2, 2 * nodes)).astype("int32"),
        "edge_weight": rng.uniform(0.5, 2, 2 * nodes).astype("float32"),
    }


def heterogeneous(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "node_features": {
            "image": rng.normal(size=(4, 3)).astype("float32"),
            "text": rng.normal(size=(2, 5)).astype("float32"),
        },
        "edge_index": {
            SHOWS: np.array([[0, 3], [1, 0]], "int32"),
            NEAR: np.array([[0, 1, 2], [1, 2, 3]], "int32"),
        },
        "edge_weight": {NEAR: np.array([0.5, 2, 1], "float32")},
    }


def assert_same(graph, expected):
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(graph[name], value)
        else:
            np.testing.assert_array_equal(graph[name], value)


@real
@pytest.mark.parametrize(
    "graph", [homogeneous(), heterogeneous()], ids=["homogeneous", "heterogeneous"]
)
def test_conversion_to_graph_tensor_and_back_keeps_the_graph(graph):
    result = graph_from_tensor(graph_to_tensor(graph))
    assert set(result) == {*graph, "graph_index"}
    assert_same(result, graph)


@real
def test_batches_from_files_merge_the_graphs(tmp_path):
    sizes = [2, 5, 3, 4, 6]
    graphs = [homogeneous(size, seed) for seed, size in enumerate(sizes)]
    files = write_graph_tensors(
        (graph_to_tensor(graph, {"y": 7 * i}) for i, graph in enumerate(graphs)), tmp_path
    )
    batches = list(graph_tensor_dataset(*files, batch_size=2, label="y"))
    assert [labels.numpy().ravel().tolist() for _, labels in batches] == [[0, 7], [14, 21], [28]]
    layer, pooling = GCNLayer(4), GraphMeanPooling()
    graph, _ = batches[1]
    np.testing.assert_array_equal(graph["graph_index"], [0] * 3 + [1] * 4)
    pooled = pooling({"node_features": layer(graph), "graph_index": graph["graph_index"]})
    for row, one in zip(pooled, graphs[2:4], strict=True):
        alone = pooling({"node_features": layer(one)})
        np.testing.assert_allclose(row, alone[0], atol=1e-5)


@real
def test_padding_to_a_budget_does_not_change_the_outputs(tmp_path):
    import tensorflow_gnn as tfgnn

    graphs = [homogeneous(size, size) for size in (2, 5, 3)]
    files = write_graph_tensors((graph_to_tensor(graph, {"y": 1}) for graph in graphs), tmp_path)
    budget = tfgnn.SizeConstraints(
        total_num_components=3, total_num_nodes={"nodes": 10}, total_num_edges={"edges": 20}
    )
    padded = list(graph_tensor_dataset(*files, batch_size=2, budget=budget, label="y"))
    shapes = [[x.shape for x in keras.tree.flatten(batch)] for batch in padded]
    assert shapes[0] == shapes[1]
    layer = GCNLayer(4)
    whole, _ = next(iter(graph_tensor_dataset(*files, batch_size=2, label="y")))
    graph, labels, weights = padded[0]
    assert labels.shape[0] == 3
    np.testing.assert_array_equal(weights, [1, 1, 0])
    np.testing.assert_array_equal(graph["node_mask"], [True] * 7 + [False] * 3)
    expected = layer(whole)
    np.testing.assert_allclose(layer(graph)[:7], expected, atol=1e-6)
    np.testing.assert_array_equal(layer(graph)[7:], 0)


class Classifier(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer, self.pooling = RGCNLayer(8, activation="relu"), GraphMeanPooling()
        self.dense = keras.layers.Dense(2)

    def call(self, graph):
        nodes = {key: graph[key] for key in ("node_features", "edge_index", "edge_weight")}
        pooled = [
            self.pooling({"node_features": x, "graph_index": graph["graph_index"][name]})
            for name, x in sorted(self.layer(nodes).items())
        ]
        return self.dense(keras.ops.concatenate(pooled, axis=-1))


@real
def test_keras_3_model_learns_from_heterogeneous_graphs_in_files(tmp_path):
    assert keras.__version__.startswith("3")
    files = write_graph_tensors(
        (graph_to_tensor(heterogeneous(i), {"y": i % 2}) for i in range(8)), tmp_path
    )
    dataset = graph_tensor_dataset(*files, batch_size=4, label="y").repeat()
    model = Classifier()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(dataset, epochs=20, steps_per_epoch=2, shuffle=False, verbose=0).history[
        "loss"
    ]
    assert losses[-1] < losses[0]


@real
def test_invalid_arguments_are_rejected(tmp_path):
    graph_tensor = graph_to_tensor(heterogeneous())
    with pytest.raises(
        ValueError, match="'image' has no feature 'x'. Its features: 'hidden_state'"
    ):
        graph_from_tensor(graph_tensor, feature="x")
    with pytest.raises(ValueError, match="Received: node_mask"):
        graph_to_tensor({**homogeneous(), "node_mask": np.ones(4, "bool")})
    same_name = {**heterogeneous(), "edge_weight": {}}
    same_name["edge_index"] = {
        SHOWS: np.zeros((2, 1), "int32"),
        ("text", "shows", "image"): np.zeros((2, 1), "int32"),
    }
    with pytest.raises(ValueError, match="must have different names"):
        graph_to_tensor(same_name)
    with pytest.raises(ValueError, match="There is no file"):
        graph_tensor_dataset(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ValueError, match="at least one"):
        write_graph_tensors([], tmp_path)
    assert not list(tmp_path.iterdir())
    write_graph_tensors([graph_to_tensor(homogeneous(), {"y": 1})], tmp_path)
    with pytest.raises(ValueError, match="Received: 'z'. Its context features: 'y'"):
        graph_tensor_dataset(tmp_path / "examples.tfrecord", tmp_path / "schema.pbtxt", label="z")

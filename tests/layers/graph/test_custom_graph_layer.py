"""Tests of the custom graph layer that docs/graphs.md documents."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from graph_references import add_masks, as_dense, compute_adjacency, get_features, random_graph
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers.graph import GraphLayer

PAGE = Path(__file__).parents[3] / "docs" / "graphs.md"
GRAPH = random_graph(nodes=7, dim=16)


@pytest.fixture
def namespace(tmp_path, monkeypatch):
    """Runs the code of the section "Custom graph layers" and returns the names it defines."""
    section = PAGE.read_text(encoding="utf-8").split("\n## Custom graph layers\n")[1]
    code = "".join(re.findall(r"```python\n(.*?)```", section.split("\n## ")[0], re.DOTALL))
    monkeypatch.chdir(tmp_path)
    names = {"keras": keras, "graph": {key: GRAPH[key] for key in ("node_features", "edge_index")}}
    exec(code, names)
    yield names
    del keras.saving.get_custom_objects()["my_project>SumConvolution"]


def test_documented_model_loads_with_equal_outputs(namespace):
    assert namespace["custom_model"].output_shape == (None, 3)
    expected = to_numpy(namespace["custom_model"](namespace["graph"]))
    np.testing.assert_allclose(to_numpy(namespace["logits"]), expected, atol=1e-6)


def test_documented_layer_matches_reference(namespace):
    layer = namespace["SumConvolution"](4, activation="tanh")
    graph = add_masks(GRAPH)
    outputs = to_numpy(layer(graph))
    x = get_features(graph)[0] @ np.float64(to_numpy(layer.projection.kernel))
    expected = np.tanh(compute_adjacency(graph) @ x) * graph["node_mask"][:, None]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(layer(as_dense(graph)))[0], expected, atol=1e-5)


def test_documented_layer_passes_layer_checks(namespace, tmp_path):
    keras.utils.set_random_seed(1)
    masks = {
        ("graph", "node_mask"): ("graph", "node_features"),
        ("graph", "edge_mask"): ("graph", "edge_weight"),
    }
    make = namespace["SumConvolution"]
    run_layer_checks(
        lambda **kw: make(4, **kw), {"graph": add_masks(GRAPH)}, masks, folder=tmp_path
    )


def test_layer_without_output_dim_raises():
    class Incomplete(GraphLayer):
        def call(self, graph, mask=None):
            return self.parse(graph, mask).sources

    inputs = {
        "node_features": keras.Input((16,)),
        "edge_index": keras.Input(batch_shape=(2, None), dtype="int32"),
    }
    with pytest.raises(ValueError, match="Incomplete: set `output_dim`"):
        Incomplete()(inputs)

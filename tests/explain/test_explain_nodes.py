import keras
import numpy as np
import pytest

from keras_mmfusion.explain import explain_nodes, plot_node_explanation
from keras_mmfusion.layers.graph import GATLayer, GCNLayer, GINLayer, GraphFusion, RGCNLayer

NODES, FEATURES, CAUSE = 40, 6, 2


@pytest.fixture(scope="module")
def planted_graph():
    """A graph whose nodes have class 1 if an edge comes from a node with the feature `CAUSE`.

    Returns:
        Tuple of a model that predicts these classes, with some noise from all other features, the
        graph, and a dict: node -> the one of several neighbors that causes its class.
    """
    rng = np.random.default_rng(0)
    sources, targets = np.nonzero(rng.random((NODES, NODES)) < 0.12)
    keep = sources != targets
    edge_index = np.stack([sources[keep], targets[keep]])
    features = rng.integers(2, size=(NODES, FEATURES)).astype("float32")
    features[:, CAUSE] = rng.random(NODES) < 0.2
    graph = {"node_features": features, "edge_index": edge_index}
    layer = GINLayer(2, activation="linear", use_bias=False, learn_epsilon=False)
    model = keras.Sequential([layer])
    model(graph)
    kernel = rng.normal(scale=0.2, size=(FEATURES, 2))
    kernel[CAUSE] = [-3, 3]
    layer.set_weights([kernel, np.eye(2)])
    causes = {}
    for node in range(NODES):
        neighbors = edge_index[0][edge_index[1] == node]
        with_cause = neighbors[features[neighbors, CAUSE] > 0]
        if len(with_cause) == 1 and len(neighbors) > 2 and not features[node, CAUSE]:
            causes[node] = int(with_cause[0])
    return model, graph, causes


def test_planted_edge_and_feature_rank_first(planted_graph):
    model, graph, causes = planted_graph
    nodes = list(causes)[:4]
    assert len(nodes) == 4
    for explanation in explain_nodes(model, graph, nodes, steps=50):
        node = explanation.node
        assert explanation.predicted_class == 1
        assert explanation.list_top_edges(1)[0][:2] == (causes[node], node)
        assert explanation.list_top_features(1)[0][0] == CAUSE


def test_edges_outside_the_receptive_field_score_zero(planted_graph):
    model, graph, causes = planted_graph
    node = next(iter(causes))
    [explanation] = explain_nodes(model, graph, [node], steps=2)
    incoming = graph["edge_index"][1] == node
    np.testing.assert_array_equal(explanation.edge_scores[~incoming], 0)
    assert np.all(explanation.edge_scores[incoming] > 0)


def test_attention_matches_the_layer():
    graph = {
        "node_features": np.random.default_rng(0).normal(size=(3, 4)).astype("float32"),
        "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    }
    layer = GATLayer(2, num_heads=3, name="attention")
    [explanation] = explain_nodes(keras.Sequential([layer]), graph, [1], steps=1)
    _, scores = layer(graph, return_attention_scores=True)
    actual = explanation.attention["attention"]
    np.testing.assert_allclose(actual, keras.ops.convert_to_numpy(scores)[:4], atol=1e-6)
    assert "call" not in vars(layer)


def test_edge_of_weight_zero_scores_zero():
    graph = {
        "node_features": np.eye(3, dtype="float32"),
        "edge_index": np.array([[1, 2], [0, 0]]),
        "edge_weight": np.array([1, 0], "float32"),
    }
    [explanation] = explain_nodes(keras.Sequential([GCNLayer(2)]), graph, [0], steps=1)
    assert explanation.edge_scores[1] == 0 < explanation.edge_scores[0]


class ProductClassifier(keras.Model):
    """Classifies the entities of a heterogeneous graph."""

    def __init__(self):
        super().__init__()
        self.fusion = GraphFusion(("image", "text"), [RGCNLayer(4)], combine="sum", dim=4)
        self.head = keras.layers.Dense(2)

    def call(self, graph, training=None):
        return self.head(self.fusion(graph, training=training))


def test_heterogeneous_graph_and_its_figure(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    rng = np.random.default_rng(0)
    graph = {
        "node_features": {"image": rng.normal(size=(3, 5)), "text": rng.normal(size=(3, 4))},
        "edge_index": {
            ("image", "near", "image"): np.array([[1, 2, 2], [0, 0, 1]]),
            ("text", "of", "image"): np.array([[0, 1, 1], [0, 0, 1]]),
        },
    }
    [explanation] = explain_nodes(ProductClassifier(), graph, [0], steps=2)
    assert explanation.edge_scores["image/near/image"][0] > 0
    assert explanation.edge_scores["image/near/image"][2] == 0  # Its target is another entity.
    assert {name: len(x) for name, x in explanation.feature_scores.items()} == {
        "image": 5,
        "text": 4,
    }
    assert (("text", 0), ("image", 0)) in [edge[:2] for edge in explanation.list_top_edges()]
    figure = plot_node_explanation(explanation, tmp_path / "product.png")
    assert (tmp_path / "product.png").stat().st_size > 1000
    assert len(figure.axes[0].lines) == len(explanation.list_top_edges())


def test_masked_nodes_do_not_change_explanations():
    graph = {
        "node_features": np.random.default_rng(0).normal(size=(4, 3)).astype("float32"),
        "edge_index": np.array([[1, 2, 3], [0, 0, 0]]),
        "node_mask": np.array([True, True, True, False]),
    }
    model = keras.Sequential([GCNLayer(2)])
    [expected] = explain_nodes(model, graph, [0], steps=3)
    graph["node_features"][3] = np.nan
    [actual] = explain_nodes(model, graph, [0], steps=3)
    assert actual.edge_scores[0] > 0 and actual.edge_scores[2] == 0
    np.testing.assert_allclose(actual.edge_scores, expected.edge_scores, rtol=1e-6)
    np.testing.assert_allclose(actual.feature_scores, expected.feature_scores, rtol=1e-6)


def test_invalid_arguments_raise():
    model = keras.Sequential([GCNLayer(2)])
    graph = {"node_features": np.eye(3), "edge_index": np.array([[0, 1], [1, 0]])}
    with pytest.raises(ValueError, match="`nodes` must be in"):
        explain_nodes(model, graph, [3])
    with pytest.raises(ValueError, match="'edge_index'"):
        explain_nodes(model, {"node_features": np.eye(3)}, [0])
    with pytest.raises(ValueError, match="two classes"):
        explain_nodes(keras.Sequential([GCNLayer(1)]), graph, [0])

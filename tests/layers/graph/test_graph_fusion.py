"""Tests of `GraphFusion` against NumPy, with missing modalities and nodes."""

import keras
import numpy as np
import pytest
from graph_references import LayerCase, apply_dense, randomize
from hetero_references import reference_hgt, reference_rgcn
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.encoders import VectorEncoder
from keras_mmfusion.layers.fusion import ConcatFusion
from keras_mmfusion.layers.graph import (
    GraphFusion,
    HGTLayer,
    MultimodalGraph,
    RGCNLayer,
    connect_neighbors,
)
from keras_mmfusion.layers.graph.core.similar_nodes import find_similar_nodes
from keras_mmfusion.models import FusionModel

NAMES = ("image", "text")
RNG = np.random.default_rng(0)
INPUTS = {
    "image": RNG.normal(size=(3, 4, 5)).astype("float32"),
    "text": RNG.normal(size=(3, 2, 3)).astype("float32"),
}
MASK = {
    "image": np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], "bool"),
    "text": np.array([[1, 0], [1, 1], [1, 1]], "bool"),
}
LAYERS = {
    "hgt": LayerCase(lambda **kw: HGTLayer(4, num_heads=2, **kw), reference_hgt),
    "rgcn": LayerCase(lambda **kw: RGCNLayer(4, activation="tanh", **kw), reference_rgcn),
}
each_layer = pytest.mark.parametrize("kind", LAYERS)


def make(kind="hgt", count=1, dtype="float32", **settings):
    layers = [LAYERS[kind].make(dtype=dtype) for _ in range(count)]
    return GraphFusion(NAMES, layers, **{"dim": 4, "num_heads": 2, "dtype": dtype, **settings})


def make_entity_graph(seed=0):
    """Four entities: the first has two images, the second no text, the last one no node."""
    rng = np.random.default_rng(seed)
    graph = MultimodalGraph(
        {"image": rng.normal(size=(5, 5)), "text": rng.normal(size=(4, 3))},
        {"image": [1, 1, 1, 0, 1], "text": np.array([1, 0, 1, 1], "bool")},
        {"image": [0, 0, 1, 3, 2], "text": [0, 1, 2, 2]},
    )
    for relation, edges in {
        ("image", "similar", "image"): [[0, 1, 2, 4, 3], [2, 0, 4, 0, 0]],
        ("text", "describes", "image"): [[0, 0, 1, 2], [0, 1, 2, 4]],
        ("image", "shows", "text"): [[0, 4], [0, 3]],
    }.items():
        graph.add_edges(relation, edges, rng.uniform(0.5, 2, len(edges[0])))
    return graph.as_dict()


def project(layer, values):
    """Projects and normalizes each modality's nodes."""
    layers = layer.projection.projections.values(), layer.projection.norms.values()
    parts = zip(*layers, values, strict=True)
    nodes = []
    for projection, norm, x in parts:
        x = apply_dense(projection, np.float64(x))
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        nodes.append(x * np.float64(to_numpy(norm.gamma)) + np.float64(to_numpy(norm.beta)))
    return nodes


def apply_graph_layers(layer, kind, graph):
    """Applies the reference implementations of the graph layers."""
    for each in layer.graph_layers:
        x = LAYERS[kind].reference(each, graph)
        x = {name: np.tanh(nodes) for name, nodes in x.items()} if kind == "rgcn" else x
        graph = {**graph, "node_features": x}
    return graph["node_features"]


def compute_weighted_sum(rule, vectors, mask):
    """Computes the rule for one entity, from its vectors and their mask."""
    weights = np.exp(np.float64(to_numpy(rule.score))) * mask
    vectors = [
        apply_dense(each, x) for each, x in zip(rule.projections.values(), vectors, strict=True)
    ]
    return weights / max(weights.sum(), 1e-9) @ np.stack(vectors)


def make_sample_graph(layer, nodes, masks):
    """Converts a sample to a graph: every node gets edges from all nodes, or from the nearest."""
    edges = {}
    for s, source in enumerate(NAMES):
        for t, target in enumerate(NAMES):
            pairs = []
            for i in range(len(nodes[t])):
                near = [j for j in np.flatnonzero(masks[s]) if s != t or i != j]
                lengths = np.maximum(np.linalg.norm(nodes[s], axis=1), 1e-9)
                cosines = nodes[s] @ nodes[t][i] / lengths
                near = sorted(near, key=lambda j, c=cosines: -c[j])[: layer.neighbors]
                pairs += [(j, i) for j in near]
            edges[source, "to", target] = np.array(pairs, int).reshape(-1, 2).T
    features = dict(zip(NAMES, nodes, strict=True))
    return {
        "node_features": features,
        "edge_index": edges,
        "node_mask": dict(zip(NAMES, masks, strict=True)),
    }


@each_layer
@pytest.mark.parametrize("neighbors", [None, 1])
def test_modalities_match_reference(kind, neighbors):
    layer = randomize(make(kind, count=2, neighbors=neighbors), INPUTS)
    actual = to_numpy(layer(INPUTS, mask=MASK))
    for b in range(3):
        masks = [MASK[name][b] for name in NAMES]
        nodes = project(layer, [INPUTS[name][b] for name in NAMES])
        nodes = [np.where(mask[:, None], x, 0) for x, mask in zip(nodes, masks, strict=True)]
        nodes = apply_graph_layers(layer, kind, make_sample_graph(layer, nodes, masks))
        vectors = [
            nodes[name][mask].mean(axis=0) if mask.any() else np.zeros(4)
            for name, mask in zip(NAMES, masks, strict=True)
        ]
        expected = compute_weighted_sum(layer.rule, vectors, [mask.any() for mask in masks])
        np.testing.assert_allclose(actual[b], expected, atol=2e-4)


@each_layer
def test_graph_matches_reference(kind):
    graph = make_entity_graph()
    layer = randomize(make(kind, count=2), graph)
    actual = to_numpy(layer(graph))
    values = project(layer, [graph["node_features"][name] for name in NAMES])
    masks = [graph["node_mask"][name] for name in NAMES]
    values = [np.where(mask[:, None], x, 0) for x, mask in zip(values, masks, strict=True)]
    nodes = apply_graph_layers(
        layer, kind, {**graph, "node_features": dict(zip(NAMES, values, strict=True))}
    )
    assert actual.shape == (4, 4) and not actual[3].any()
    for entity in range(4):
        entity_masks = [
            mask & (graph["entity_index"][name] == entity)
            for name, mask in zip(NAMES, masks, strict=True)
        ]
        vectors = [
            nodes[name][mask].mean(axis=0) if mask.any() else np.zeros(4)
            for name, mask in zip(NAMES, entity_masks, strict=True)
        ]
        expected = compute_weighted_sum(layer.rule, vectors, [mask.any() for mask in entity_masks])
        np.testing.assert_allclose(actual[entity], expected, atol=2e-4)


def test_layer_passes_layer_checks_with_modalities(tmp_path):
    run_layer_checks(
        lambda dtype: make("rgcn", dtype=dtype),
        {"inputs": INPUTS, "mask": MASK},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


def test_layer_passes_layer_checks_with_a_graph(tmp_path):
    graph = make_entity_graph()
    graph = {
        key: {"/".join(k) if isinstance(k, tuple) else k: x for k, x in value.items()}
        if isinstance(value, dict)
        else value
        for key, value in graph.items()
    }
    run_layer_checks(
        lambda dtype: make("rgcn", dtype=dtype),
        {"inputs": graph},
        {("inputs", "node_mask", name): ("inputs", "node_features", name) for name in NAMES},
        folder=tmp_path,
    )


def test_entity_index_defaults_to_the_node_index():
    graph = make_entity_graph()
    for key in ("entity_index", "entity_mask"):
        del graph[key]
    graph["node_features"]["text"] = np.ones((5, 3), "float32")
    graph["node_mask"]["text"] = np.array([1, 1, 1, 0, 0], "bool")
    layer = randomize(make(), graph)
    index = {name: np.arange(5, dtype="int64") for name in NAMES}
    np.testing.assert_allclose(
        to_numpy(layer(graph)), to_numpy(layer({**graph, "entity_index": index})), atol=1e-6
    )
    del graph["node_features"]["text"], graph["node_mask"]["text"]
    without = {**graph, "entity_index": {"image": index["image"]}}
    assert np.isfinite(to_numpy(layer(graph))).all()
    np.testing.assert_allclose(to_numpy(layer(graph)), to_numpy(layer(without)), atol=1e-6)


def test_dense_graph_is_one_entity_per_sample():
    ones = {
        f"{s}/to/{t}": np.ones((3, INPUTS[t].shape[1], INPUTS[s].shape[1]), "float32")
        for s in NAMES
        for t in NAMES
    }
    for name in NAMES:
        ones[f"{name}/to/{name}"] -= np.eye(INPUTS[name].shape[1], dtype="float32")
    layer = randomize(make(), INPUTS)
    expected = to_numpy(layer(INPUTS, mask=MASK))
    actual = layer({"node_features": INPUTS, "adjacency": ones, "node_mask": MASK})
    np.testing.assert_allclose(to_numpy(actual), expected, atol=1e-5)


def test_token_output_has_all_nodes():
    layer = randomize(make(combine="union", output="tokens"), INPUTS)
    tokens, mask = layer(INPUTS, mask=MASK, return_mask=True)
    assert tuple(tokens.shape) == (3, 6, 4)
    expected = np.concatenate([MASK[name] for name in NAMES], axis=1)
    np.testing.assert_array_equal(to_numpy(mask) > 0, expected)
    assert not to_numpy(tokens)[~expected].any()


def test_dynamic_numbers_of_tokens():
    inputs = {name: keras.Input((None, x.shape[2]), name=name) for name, x in INPUTS.items()}
    layer = randomize(make(), INPUTS)
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_allclose(model.predict(INPUTS, verbose=0), to_numpy(layer(INPUTS)), atol=1e-5)
    with pytest.raises(ValueError, match="only if the number of nodes is static"):
        find_similar_nodes(inputs["text"], inputs["text"], neighbors=1)


def test_shares_of_modalities():
    layer = randomize(make(), INPUTS)
    fused, shares = layer(INPUTS, mask=MASK, return_shares=True)
    shares = to_numpy(shares)
    np.testing.assert_allclose(to_numpy(fused), to_numpy(layer(INPUTS, mask=MASK)), atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(shares[2], [0, 1], atol=1e-6)
    graph = make_entity_graph()
    _, shares = randomize(make(), graph)(graph, return_shares=True)
    assert tuple(shares.shape) == (4, 2) and not to_numpy(shares)[3].any()


def test_entity_index_out_of_range_raises():
    graph = make_entity_graph()
    layer = randomize(make(), graph)
    graph["entity_index"]["text"] = np.array([0, 1, 2, 4], "int32")
    with pytest.raises(ValueError, match=r"`entity_index\['text'\]` must be in \[0, 4\)"):
        layer(graph)
    graph["entity_mask"] = None
    assert tuple(layer(graph).shape) == (5, 4)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = FusionModel(
        {"image": VectorEncoder(4)},
        GraphFusion(NAMES, [RGCNLayer(4)], dim=4, num_heads=2, combine=ConcatFusion(NAMES, 4)),
        keras.layers.Dense(2),
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        # Label smoothing keeps the logits small, so that float32 is exact to 1e-6.
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(DATA, LABELS, batch_size=6, epochs=40, verbose=0)
    return model


DATA = {
    "image": RNG.normal(size=(6, 5)).astype("float32"),
    "text": RNG.normal(size=(6, 2, 3)).astype("float32"),
    "image_mask": np.array([1, 1, 0, 1, 1, 1], "bool"),
    "text_mask": np.array([[1, 1], [1, 0], [1, 1], [0, 0], [0, 1], [1, 1]], "bool"),
}
LABELS = np.eye(2)[[0, 1, 1, 0, 1, 0]]


def test_fusion_model_learns_with_missing_modalities(model):
    assert model.evaluate(DATA, LABELS, verbose=0, return_dict=True)["accuracy"] == 1
    expected = model.predict(DATA, verbose=0)
    hidden = {name: np.where(DATA[f"{name}_mask"][..., None], DATA[name], np.nan) for name in NAMES}
    np.testing.assert_allclose(model.predict({**DATA, **hidden}, verbose=0), expected, atol=1e-6)
    without = {name: DATA[name] for name in ("text", "text_mask")}
    none = model.predict({**DATA, "image_mask": np.zeros(6, "bool")}, verbose=0)
    np.testing.assert_allclose(model.predict(without, verbose=0), none, atol=1e-6)
    assert np.abs(none - expected).max() > 0.01
    assert to_numpy(model.compute_shares(DATA)).shape == (6, 2)


def test_fusion_model_saves_and_loads(model, tmp_path):
    expected = model.predict(DATA, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        FusionModel.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(loaded.predict(DATA, verbose=0), expected, atol=1e-6)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="needs TensorFlow")
def test_exported_fusion_model_matches(model, tmp_path):
    import tensorflow as tf

    loaded = tf.saved_model.load(model.export(tmp_path, DATA))
    serve = loaded.signatures["serving_default"]
    inputs = {name: np.array(x) for name, x in DATA.items()}
    inputs["text"][~DATA["text_mask"]] = np.nan
    actual = serve(**{name: tf.constant(x) for name, x in inputs.items()})
    np.testing.assert_allclose(actual["outputs"], model.predict(DATA, verbose=0), atol=1e-5)


def test_missing_modality_is_filled_in_along_edges():
    image = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    text = RNG.normal(size=(4, 3)).astype("float32")
    graph = MultimodalGraph({"image": image, "text": text}, {"text": [True, False, True, True]})
    graph.add_edges(("text", "to", "image"), np.stack([np.arange(4)] * 2))
    graph.add_edges(("image", "similar", "image"), *connect_neighbors(image, neighbors=1))
    graph = graph.as_dict()
    layer = randomize(make(count=2), graph)
    before = to_numpy(layer(graph))
    graph["node_features"]["text"] = text + np.array([[1], [0], [0], [0]], "float32")
    changed = np.abs(to_numpy(layer(graph)) - before).max(axis=1) > 1e-4
    assert changed.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    "arguments", [{"strategy": "late"}, {"num_outputs": 3}, {"num_stages": 1}], ids=str
)
def test_fusion_block_arguments_raise(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"GraphFusion: `{name}` is not supported"):
        make(**arguments)
    with pytest.raises(ValueError, match=f"GraphFusion: `{name}` is not supported"):
        GraphFusion.from_config({**make().get_config(), **arguments})


def test_config_round_trip():
    layer = make("rgcn", neighbors=2, combine=ConcatFusion(NAMES, 4), placeholders=True)
    config = layer.get_config()
    assert not {"strategy", "num_outputs", "num_stages"} & set(config)
    assert GraphFusion.from_config(config).get_config() == config


def test_decide_raises():
    layer = make()
    layer(INPUTS)
    with pytest.raises(ValueError, match="GraphFusion: `decide` is not supported"):
        layer.decide(INPUTS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GraphFusion(NAMES, [HGTLayer(8)], dim=4), "with 4 units, as `dim`"),
        (lambda: GraphFusion(NAMES, [keras.layers.Dense(4)], dim=4), "`HeteroGraphLayer`s"),
        (lambda: GraphFusion(NAMES, neighbors=0), "`neighbors` must be a positive integer"),
        (
            lambda: make()({**make_entity_graph(), "edges": {}}),
            "unknown key 'edges' in the graph",
        ),
        (lambda: make()(INPUTS, return_mask=True), "needs output='tokens'"),
        (lambda: make()({"sound": INPUTS["text"]}), "has 'sound', which is not one"),
        (
            lambda: make()(
                {k: v for k, v in make_entity_graph().items() if not k.startswith("entity")}
            ),
            "without an 'entity_index', every modality must have one node per entity",
        ),
    ],
)
def test_invalid_arguments_raise(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Tests of `MultimodalGraph` and of the functions that build edges."""

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.layers.alignment import OptimalTransportAlignment, TimestampAlignment
from keras_mmfusion.layers.graph import (
    HGTLayer,
    MultimodalGraph,
    RGCNLayer,
    connect_boxes,
    connect_neighbors,
    connect_pairs,
    connect_plan,
    connect_times,
)

RNG = np.random.default_rng(0)
IMAGE, TEXT = RNG.normal(size=(6, 5)), RNG.normal(size=(4, 5))
DESCRIBES = ("text", "describes", "image")


def make_graph(**settings):
    graph = MultimodalGraph({"image": IMAGE, "text": TEXT}, **settings)
    graph.add_edges(("image", "similar", "image"), *connect_neighbors(IMAGE, neighbors=2))
    graph.add_edges(DESCRIBES, *connect_pairs([(0, 0), (1, 1), (1, 5)], [1.0, 0.5, 2.0]))
    graph.add_reversed(DESCRIBES, "described_by")
    return graph


def as_set(edges):
    """Converts edges to a set of (source, target, weight)."""
    index, weight = edges
    assert index.dtype == "int32" and weight.dtype == "float32"
    assert index.shape == (2, len(weight))
    return {(int(j), int(i), round(float(w), 5)) for (j, i), w in zip(index.T, weight, strict=True)}


@pytest.mark.parametrize("make_layer", [lambda: RGCNLayer(3), lambda: HGTLayer(4, num_heads=2)])
def test_as_dict_is_an_input_of_layers(make_layer):
    graph = make_graph(node_mask={"text": [True, True, False, True]})
    layer = make_layer()
    actual = layer(graph.as_dict())
    assert {name: len(x) for name, x in actual.items()} == {"image": 6, "text": 4}
    graph.node_features["text"][2] = np.nan
    for name, x in layer(graph.as_dict()).items():
        np.testing.assert_allclose(to_numpy(x), to_numpy(actual[name]), atol=1e-6)
    assert not to_numpy(actual["text"])[2].any() and to_numpy(actual["text"])[1].any()


def test_repr_and_contents():
    graph = make_graph(node_mask={"text": [True, True, False, True]})
    assert str(graph).splitlines() == [
        "MultimodalGraph",
        "  image: 6 nodes, 5 dims",
        "  text: 4 nodes (1 missing), 5 dims",
        "  image -- similar -> image: 12 edges",
        "  text -- describes -> image: 3 edges",
        "  image -- described_by -> text: 3 edges",
    ]
    reverse = graph.edge_index["image", "described_by", "text"]
    assert reverse.tolist() == [[0, 1, 5], [0, 1, 1]]
    assert graph.edge_weight["image", "described_by", "text"].tolist() == [1.0, 0.5, 2.0]
    assert graph.as_dict().keys() == {"node_features", "edge_index", "edge_weight", "node_mask"}
    graph.as_dict()["edge_index"].clear()
    assert len(graph.edge_index) == 3


def test_features_and_edges_as_tensors():
    graph = MultimodalGraph({"image": keras.ops.convert_to_tensor(IMAGE)})
    index = keras.ops.convert_to_tensor(np.array([[0], [1]]))
    graph.add_edges(("image", "near", "image"), index)
    np.testing.assert_allclose(graph.node_features["image"], IMAGE, atol=1e-6)
    assert graph.edge_weight["image", "near", "image"].tolist() == [1.0]


@pytest.mark.parametrize("neighbors", [1, 3, 9])
def test_connect_neighbors_matches_reference(neighbors):
    def expected(sources, targets, same):
        actual = set()
        for i, target in enumerate(np.float64(targets)):
            cosines = sources @ target / np.linalg.norm(sources, axis=1) / np.linalg.norm(target)
            order = [int(j) for j in np.argsort(-cosines) if not (same and i == j)]
            actual |= {(j, i, 1.0) for j in order[:neighbors]}
        return actual

    actual = as_set(connect_neighbors(IMAGE, neighbors=neighbors))
    assert actual == expected(IMAGE, IMAGE, same=True)
    actual = as_set(connect_neighbors(IMAGE, TEXT, neighbors))
    assert actual == expected(IMAGE, TEXT, same=False)
    mask = np.array([True, True, False, True, True, False])
    masked = np.where(mask[:, None], IMAGE, np.nan)
    actual = as_set(connect_neighbors(masked, TEXT, neighbors, mask, [True, False, True, True]))
    kept = np.flatnonzero(mask)
    assert actual == {
        (int(kept[j]), i, w) for j, i, w in expected(IMAGE[mask], TEXT, same=False) if i != 1
    }


def test_targets_are_compared_in_slices():
    angles = np.linspace(0, 3, 2500)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    index, _ = connect_neighbors(circle, neighbors=2)
    inner = index[:, (index[1] > 0) & (index[1] < 2499)]
    assert inner.shape == (2, 2 * 2498)
    assert (np.abs(inner[0] - inner[1]) == 1).all()
    moments = np.stack([np.arange(2500.0)] * 2, axis=1)
    index, _ = connect_times(moments, max_gap=1)
    assert index.shape == (2, 2 * 2499)
    assert (np.abs(index[0] - index[1]) == 1).all()


def test_connect_plan():
    _, plan = OptimalTransportAlignment()(TEXT[None], IMAGE[None])
    plan = to_numpy(plan)[0]
    bound = float(np.median(plan))
    expected = {
        (j, i, round(float(plan[i, j]), 5))
        for i in range(4)
        for j in range(6)
        if plan[i, j] > bound
    }
    assert as_set(connect_plan(plan, bound)) == expected and len(expected) == 12
    one, other = np.zeros((2, 2, 3))
    one[1, 2], other[0, 1] = 0.5, 0.25
    assert as_set(connect_plan(np.stack([one, other]))) == {(2, 1, 0.5), (4, 2, 0.25)}


def test_connect_times():
    frames = np.array([[0, 1], [1, 2], [2, 3], [9, 10]], "float64")
    words = np.array([[0.5, 1.5], [4, 4.5]])
    assert as_set(connect_times(frames, words)) == {(0, 0, 1), (1, 0, 1)}
    assert as_set(connect_times(frames, words, max_gap=1)) == {
        *((j, 0, 1) for j in range(3)),
        (2, 1, 1),
    }
    assert as_set(connect_times(frames)) == {(0, 1, 1), (1, 0, 1), (1, 2, 1), (2, 1, 1)}
    x = np.ones((1, 4, 2), "float32")
    _, plan = TimestampAlignment()(x[:, :2], x, words[None], frames[None])
    assert as_set(connect_plan(plan)) == {(0, 0, 0.5), (1, 0, 0.5)}


def test_connect_boxes():
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [5, 5, 6, 6], [0, 0, 4, 1], [3, 3, 3, 3]])
    third, quarter = round(8 / 24, 5), 0.25
    expected = {(0, 1, third), (0, 3, quarter), (1, 3, round(2 / 18, 5))}
    expected |= {(i, j, w) for j, i, w in expected}
    assert as_set(connect_boxes(boxes)) == expected
    assert as_set(connect_boxes(boxes, boxes[:1], 0.3)) == {(0, 0, 1), (1, 0, third)}


def test_empty_inputs_give_no_edges():
    empty = np.zeros((0, 2))
    for edges in (
        connect_neighbors(empty),
        connect_neighbors(np.ones((1, 2))),
        connect_neighbors(empty, np.ones((3, 2))),
        connect_pairs([]),
        connect_times(empty),
        connect_times(np.ones((2, 2)), empty),
        connect_boxes(np.zeros((0, 4))),
        connect_plan(np.zeros((3, 2))),
    ):
        assert as_set(edges) == set()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MultimodalGraph({}), "`node_features` must be a dict"),
        (lambda: MultimodalGraph({"image": IMAGE[0]}), r"'image'\]` must have the shape"),
        (
            lambda: MultimodalGraph({"image": IMAGE}, {"text": [True] * 6}),
            "`node_mask` has the modality 'text', which is not one of the graph's: 'image'",
        ),
        (
            lambda: MultimodalGraph({"image": IMAGE}, {"image": [True]}),
            r"must have the shape \(6\)",
        ),
        (
            lambda: MultimodalGraph({"image": IMAGE, "text": TEXT}, entity_index={"text": [0] * 4}),
            "must have an entry for every modality. Received: text",
        ),
        (
            lambda: MultimodalGraph({"text": TEXT}, entity_index={"text": [0.5] * 4}),
            "`entity_index` must be int32",
        ),
        (
            lambda: MultimodalGraph({"text": TEXT}, entity_index={"text": [-1] * 4}),
            "must not have negative",
        ),
        (
            lambda: make_graph().add_edges(("audio", "near", "image"), [[0], [0]]),
            "`relation` has the modality 'audio', which is not one",
        ),
        (lambda: make_graph().add_edges("near", [[0], [0]]), "`relation` must be a tuple"),
        (
            lambda: make_graph().add_edges(("image", "a/b", "image"), [[0], [0]]),
            "without '/' in names",
        ),
        (lambda: make_graph().add_edges(DESCRIBES, [[0], [0]]), "already has the relation"),
        (
            lambda: make_graph().add_edges(("text", "x", "image"), [[3], [6]]),
            r"`edge_index\[1\]` of .* must be in \[0, 6\), for 6 nodes of 'image'. Received: 6",
        ),
        (
            lambda: make_graph().add_edges(("text", "x", "image"), [[-1], [0]]),
            r"`edge_index\[0\]` of .* Received: -1",
        ),
        (
            lambda: make_graph().add_edges(("text", "x", "image"), [[0.5], [0]]),
            "`edge_index` must be integers",
        ),
        (
            lambda: make_graph().add_edges(("text", "x", "image"), [[0], [0]], [1.0, 2.0]),
            "`edge_weight` must have the shape",
        ),
        (lambda: make_graph().add_reversed(("a", "b", "c"), "d"), "The graph has no"),
        (lambda: connect_neighbors(IMAGE, TEXT[:, :3]), "`targets` must have the shape"),
        (lambda: connect_neighbors(IMAGE, neighbors=0), "`neighbors` must be a positive integer"),
        (lambda: connect_pairs([(0.5, 1)]), "`pairs` must be integer node indices"),
        (lambda: connect_plan(np.ones((2, 2)), -1), "`min_weight` must be a number of at least 0"),
        (lambda: connect_plan(np.ones(2)), "`plan` must have the shape"),
        (lambda: connect_times([(2, 1)]), r"pairs \(start, end\) with start <= end"),
        (lambda: connect_times([(1, 2)], max_gap=-1), "`max_gap` must be a number of at least 0"),
        (lambda: connect_boxes([(2, 0, 1, 1)]), "left <= right and top <= bottom. Received"),
        (lambda: connect_boxes([(0, 0, 1, 1)], min_overlap=1), r"must be in \[0, 1\)"),
    ],
)
def test_invalid_arguments_raise(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""The alignment layers, compared with NumPy float64 references."""

import keras
import numpy as np
import pytest
from alignment_references import (
    QUERY,
    QUERY_MASK,
    VALUE,
    VALUE_MASK,
    average_by_plan,
    cosines,
    match_graphs,
    soft_dtw,
    solve_unmasked,
    squared_distances,
    transport,
)
from layer_checks import check_padding, run_layer_checks, to_numpy

from keras_mmfusion.layers.alignment import (
    Alignment,
    AttentionAlignment,
    GraphMatching,
    OptimalTransportAlignment,
    SoftDTWAlignment,
    TimestampAlignment,
)

RNG = np.random.default_rng(5)
WIDE = RNG.normal(size=(3, 6, 7)).astype("float32")
TOKENS = {"query": QUERY, "value": WIDE, "query_mask": QUERY_MASK, "value_mask": VALUE_MASK}
EDGES = {
    "query_edges": RNG.normal(size=(3, 4, 4, 2)).astype("float32"),
    "value_edges": RNG.normal(size=(3, 6, 6, 3)).astype("float32"),
}
ADJACENCY = {name: np.abs(edges[..., 0]) for name, edges in EDGES.items()}


def times(*starts):
    starts = np.array(starts, "float32")
    return np.stack([starts, starts + 1.5], axis=-1)


TIMES = {
    "query_times": np.repeat(times([0, 1, 2.5, 4]), 3, axis=0),
    "value_times": np.repeat(times([0, 0.5, 2, 3, 4, 9]), 3, axis=0),
}
MASKED = {"query_mask": QUERY_MASK, "value_mask": VALUE_MASK}
SWAPPED = {
    f"{one}{part}": f"{other}{part}"
    for one, other in (("query", "value"), ("value", "query"))
    for part in ("", "_mask", "_edges")
}
MASKS = {"query_mask": "query", "value_mask": "value"}
# name -> a function that makes the layer, and the call arguments
LAYERS = {
    "attention": (lambda **kw: AttentionAlignment(2, 4, **kw), TOKENS),
    "transport": (lambda **kw: OptimalTransportAlignment(3, 0.2, 0.5, **kw), TOKENS),
    "soft_dtw": (lambda **kw: SoftDTWAlignment(3, **kw), TOKENS),
    "graphs": (lambda **kw: GraphMatching(3, 0.5, rounds=1, **kw), {**TOKENS, **EDGES}),
    "timestamps": (lambda **kw: TimestampAlignment(**kw), {**TOKENS, **TIMES}),
}


def make(name):
    keras.utils.set_random_seed(0)
    make_layer, inputs = LAYERS[name]
    layer = make_layer()
    layer(**inputs)
    return layer, inputs


@pytest.mark.parametrize("name", LAYERS)
def test_alignments_pass_the_layer_checks(name, tmp_path):
    keras.utils.set_random_seed(0)
    make_layer, inputs = LAYERS[name]
    # Softmax is invariant to a bias that all keys share.
    run_layer_checks(
        make_layer, inputs, MASKS, ("key/bias",), folder=tmp_path, learns=name != "timestamps"
    )


@pytest.mark.parametrize("name", LAYERS)
def test_samples_are_independent(name):
    layer, inputs = make(name)
    outputs = layer(**{key: value[[2, 0]] for key, value in inputs.items()})
    for output, expected in zip(outputs, layer(**inputs), strict=True):
        np.testing.assert_allclose(to_numpy(output), to_numpy(expected)[[2, 0]], atol=2e-5)


@pytest.mark.parametrize("penalty", [None, 0.5])
def test_optimal_transport_alignment_matches_numpy_reference(penalty):
    layer = OptimalTransportAlignment(regularization=0.2, marginal_penalty=penalty)
    aligned, plan = layer(QUERY, VALUE, QUERY_MASK, VALUE_MASK)
    expected = solve_unmasked(
        lambda cost: transport(cost, 0.2, penalty),
        1 - cosines(QUERY, VALUE),
        QUERY_MASK,
        VALUE_MASK,
    )
    np.testing.assert_allclose(to_numpy(plan), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(aligned), average_by_plan(expected, VALUE), atol=1e-4)


def test_soft_dtw_alignment_matches_numpy_reference():
    layer = SoftDTWAlignment(gamma=0.5)
    aligned, plan = layer(QUERY, VALUE, QUERY_MASK, VALUE_MASK)
    cost = squared_distances(QUERY, VALUE)
    expected = solve_unmasked(lambda cost: soft_dtw(cost, 0.5)[1], cost, QUERY_MASK, VALUE_MASK)
    np.testing.assert_allclose(to_numpy(plan), expected, atol=1e-4)
    np.testing.assert_allclose(to_numpy(aligned), average_by_plan(expected, VALUE), atol=1e-4)


def test_projections_are_compared():
    layer, inputs = make("soft_dtw")
    kernels = layer.query_dense.kernel, layer.value_dense.kernel
    query, value = (x @ to_numpy(k) for x, k in zip((QUERY, WIDE), kernels, strict=True))
    plain = SoftDTWAlignment()(query, value, QUERY_MASK, VALUE_MASK)[1]
    np.testing.assert_allclose(to_numpy(layer(**inputs)[1]), to_numpy(plain), atol=1e-4)


def test_attention_plan_is_the_mean_over_heads():
    layer, inputs = make("attention")
    aligned, plan = layer(**inputs)
    expected, scores = layer.attention(**inputs, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(aligned), to_numpy(expected), atol=1e-6)
    np.testing.assert_allclose(to_numpy(plan), to_numpy(scores).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(to_numpy(plan).sum(axis=2), QUERY_MASK, atol=1e-6)


@pytest.mark.parametrize("swapped", [False, True])
def test_graph_matching_matches_numpy_reference(swapped):
    layer = GraphMatching(temperature=0.3, rounds=3)
    inputs = {"query": QUERY, "value": VALUE, **MASKED, **ADJACENCY}
    if swapped:
        inputs = {SWAPPED[name]: array for name, array in inputs.items()}
    layer(**inputs)
    layer.edge_weight.assign(0.7)
    plan = to_numpy(layer.match(**inputs))
    for i, sample_plan in enumerate(plan):
        sample = {name: np.float64(array[i]) for name, array in inputs.items()}
        rows, columns = sample["query_mask"] > 0, sample["value_mask"] > 0
        expected = np.zeros(sample_plan.shape)
        expected[np.ix_(rows, columns)] = match_graphs(
            sample["query"][rows],
            sample["value"][columns],
            sample["query_edges"][np.ix_(rows, rows)][..., None],
            sample["value_edges"][np.ix_(columns, columns)][..., None],
            0.7,
            0.3,
            3,
        )
        np.testing.assert_allclose(sample_plan, expected, atol=2e-5)
    np.testing.assert_allclose(to_numpy(layer(**inputs, training=True)[1]), plan, atol=1e-6)


def test_edges_match_nodes_with_equal_features():
    """Points in the plane with few distinct features are matched by their distances."""
    rng = np.random.default_rng(6)
    points, order = rng.random((8, 10, 2)), rng.permutation(10)
    moved = (points + rng.normal(scale=0.005, size=points.shape))[:, order]
    kinds = np.eye(2)[rng.integers(0, 2, size=(8, 10))]
    edges = [np.exp(-squared_distances(x, x) / 0.05) for x in (points, moved)]
    truth = np.eye(10)[order].T

    def compute_accuracy(*edges):
        inputs = [np.float32(x) for x in (kinds, kinds[:, order], *edges)]
        tensors = [keras.Input(x.shape[1:]) for x in inputs]
        model = keras.Model(tensors, GraphMatching(rounds=10)(*tensors))
        _, plan = model.predict(inputs, verbose=0)
        return (plan * truth).sum() / 80

    assert compute_accuracy(*edges) > 0.9
    assert compute_accuracy() < 0.5


@pytest.mark.parametrize("name", ["query", "value"])
def test_edges_and_times_of_padding_are_ignored(name):
    layer, inputs = make("graphs")
    expected = [to_numpy(x) for x in layer(**inputs)]
    mask = inputs[f"{name}_mask"]
    edges = inputs[f"{name}_edges"].copy()
    edges[~(mask[:, :, None] & mask[:, None])] = np.nan
    outputs = layer(**{**inputs, f"{name}_edges": edges})
    for output, unpadded in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(to_numpy(output), unpadded, atol=1e-6)
    layer, inputs = make("timestamps")
    expected = [to_numpy(x) for x in layer(**inputs)]
    check_padding(layer, inputs, expected, f"{name}_mask", f"{name}_times")


def test_timestamp_alignment_matches_numpy_reference():
    layer = TimestampAlignment()
    aligned, plan = layer(QUERY, WIDE, **TIMES, **MASKED)
    expected = np.zeros((3, 4, 6))
    for b, i, j in np.ndindex(expected.shape):
        if QUERY_MASK[b, i] and VALUE_MASK[b, j]:
            (start, end), (other_start, other_end) = (
                TIMES["query_times"][b, i],
                TIMES["value_times"][b, j],
            )
            expected[b, i, j] = max(0, min(end, other_end) - max(start, other_start))
    total = expected.sum(axis=2, keepdims=True)
    assert (total == 0).any()
    expected = np.divide(expected, total, where=total > 0, out=np.zeros_like(expected))
    np.testing.assert_allclose(to_numpy(plan), expected, atol=1e-6)
    np.testing.assert_allclose(to_numpy(aligned), average_by_plan(expected, WIDE), atol=1e-5)


def test_moments_are_aligned_to_the_spans_that_contain_them():
    spans = np.float32([[[0, 1], [1, 2], [2, 4], [9, 9]]])
    moments = np.float32([[[0.5, 0.5], [1, 1], [3, 3], [8, 8], [9, 9]]])
    tokens = np.ones((1, 4, 2), "float32"), np.ones((1, 5, 2), "float32")
    expected = np.zeros((5, 4))
    expected[[0, 1, 1, 2, 4], [0, 0, 1, 2, 3]] = [1, 0.5, 0.5, 1, 1]
    layer = TimestampAlignment()
    _, plan = layer(tokens[1], tokens[0], moments, spans)
    np.testing.assert_allclose(to_numpy(plan)[0], expected)
    expected = np.zeros((4, 5))
    expected[[0, 0, 1, 2, 3], [0, 1, 1, 2, 4]] = [0.5, 0.5, 1, 1, 1]
    _, plan = layer(tokens[0], tokens[1], spans, moments)
    np.testing.assert_allclose(to_numpy(plan)[0], expected)


def test_times_are_not_cast_to_half_precision():
    spans = 3000 + np.float32([[[0, 0.25], [0.25, 1]]])
    tokens = np.float32([[[1, 0], [0, 1]]])
    aligned, plan = TimestampAlignment(dtype="mixed_float16")(tokens, tokens, spans, spans)
    np.testing.assert_array_equal(to_numpy(plan)[0], np.eye(2))
    assert keras.backend.standardize_dtype(aligned.dtype) == "float16"


def test_implicit_masks_are_used_and_propagated():
    ids = np.array([[3, 1, 2, 0], [4, 0, 0, 0]])
    tokens = keras.layers.Embedding(5, 6, mask_zero=True)(ids)
    layer = OptimalTransportAlignment()
    aligned, plan = layer(tokens, tokens)
    expected = layer(to_numpy(tokens), to_numpy(tokens), ids > 0, ids > 0)[1]
    np.testing.assert_allclose(to_numpy(plan), to_numpy(expected), atol=1e-6)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(aligned._keras_mask), ids > 0)


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: OptimalTransportAlignment(0), "`projection_dim` must be a positive integer"),
        (lambda: OptimalTransportAlignment(regularization=0), "`regularization` must be a pos"),
        (lambda: OptimalTransportAlignment(marginal_penalty=-1), "`marginal_penalty` must be"),
        (lambda: SoftDTWAlignment(gamma=True), "SoftDTWAlignment: `gamma` must be a positive"),
        (lambda: GraphMatching(temperature=0), "GraphMatching: `temperature` must be a positive"),
        (lambda: GraphMatching(rounds=0.5), "GraphMatching: `rounds` must be a positive integer"),
    ],
)
def test_invalid_arguments_raise(make_layer, message):
    with pytest.raises(ValueError, match=message):
        make_layer()


@pytest.mark.parametrize("alignment", [AttentionAlignment, TimestampAlignment])
def test_alignments_without_projection_reject_projection_dim(alignment):
    with pytest.raises(TypeError, match="projection_dim"):
        alignment(projection_dim=4)


@pytest.mark.parametrize(
    ("layer", "inputs", "message"),
    [
        (SoftDTWAlignment, {"query": QUERY[0], "value": VALUE}, "`query` must be tokens of shape"),
        (SoftDTWAlignment, {"query": QUERY, "value": WIDE}, "Set `projection_dim` to compare"),
        (
            SoftDTWAlignment,
            {"query": QUERY, "value": VALUE, "query_mask": VALUE_MASK},
            r"SoftDTWAlignment: `query_mask` must have the shape \(batch, tokens\)",
        ),
        (
            GraphMatching,
            {"query": QUERY, "value": VALUE, "query_edges": EDGES["query_edges"]},
            "`value_edges` is missing. Pass the edges of both graphs, or of neither",
        ),
        (
            GraphMatching,
            {"query": QUERY, "value": VALUE, **EDGES},
            "`query_edges` and `value_edges` must have the same last dim",
        ),
        (
            GraphMatching,
            {"query": VALUE, "value": QUERY, **EDGES},
            "`query_edges` must have the shape",
        ),
        (
            TimestampAlignment,
            {"query": VALUE, "value": QUERY, **TIMES},
            "`query_times` must have the shape",
        ),
        (
            TimestampAlignment,
            {"query": QUERY, "value": QUERY, **TIMES},
            r"`value_times` must .* of `value`, which has shape \(3, 4, 5\)",
        ),
    ],
)
def test_invalid_inputs_raise(layer, inputs, message):
    with pytest.raises(ValueError, match=message):
        layer()(**inputs)


def test_custom_alignment():
    class InOrder(Alignment):
        def make_plan(self, query, value, query_mask, value_mask):
            return keras.ops.eye(4, 6)[None] * keras.ops.ones((3, 1, 1))

    np.testing.assert_array_equal(to_numpy(InOrder()(QUERY, VALUE)[0]), VALUE[:, :4])

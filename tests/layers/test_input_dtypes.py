"""Inner layers, and Keras models of layers, with inputs of any numeric dtype."""

import keras
import numpy as np
import pytest
from layer_checks import check_dtypes, to_numpy

from keras_mmfusion import FusionBlock
from keras_mmfusion.encoders import Standardization
from keras_mmfusion.layers import (
    CrossModalAttention,
    CrossModalTransformer,
    ModalityDropout,
    TransformerBlock,
)
from keras_mmfusion.layers.alignment import TimestampAlignment
from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
from keras_mmfusion.layers.graph import (
    GCNLayer,
    GraphMeanPooling,
    JumpingKnowledge,
    SparseDense,
    connect_neighbors,
    normalize_graph,
)
from keras_mmfusion.layers.modality_projection import ModalityProjection

RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, n, 4)).astype("float32") for n in (3, 5))
A_MASK, B_MASK = RNG.random((2, 3)) < 0.5, RNG.random((2, 5)) < 0.5
CONTEXT = {"x": A, "context": B, "context_mask": B_MASK}
MODALITIES = {"inputs": {"a": A, "b": B}, "mask": {"a": A_MASK, "b": B_MASK}}
INDEX = np.array([[0, 0, 1, 2], [1, 3, 0, 2]], "int32")

# name -> layer and call arguments
LAYERS = {
    "block": (TransformerBlock(2, 8), CONTEXT),
    "gated block": (TransformerBlock(2, gated=True), {"x": A, "mask": A_MASK}),
    "transformer": (CrossModalTransformer(1, 2), CONTEXT),
    "exchange": (CrossModalExchange(("a", "b"), 2), MODALITIES),
    "projection": (ModalityProjection(("a", "b"), 4), MODALITIES),
    "placeholders": (ModalityProjection(("a", "b"), 4, placeholders=True), MODALITIES),
    "modality dropout": (
        ModalityDropout(0.5),
        {"inputs": {"a": A, "b": B}, "mask": {"a": A_MASK}},
    ),
    "attention mask": (
        CrossModalAttention(2, 4),
        {"query": A, "value": B, "attention_mask": RNG.random((2, 3, 5)) < 0.5},
    ),
    "standardization": (Standardization(), {"inputs": A}),
    "sparse": (
        SparseDense(3, input_dim=4),
        {"index": INDEX, "values": A[0, :, 0].repeat(2)[:4], "num_rows": 3},
    ),
    **{
        f"jumping, {mode}": (JumpingKnowledge(mode), {"inputs": [A, A[:, ::-1]]})
        for mode in ("concat", "max", "attention")
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_accept_any_numeric_dtype(name):
    layer, inputs = LAYERS[name]
    check_dtypes(layer, inputs)


def test_functional_model_of_integer_inputs_trains():
    dtype = "int32"
    counts = RNG.integers(0, 3, (6, 5, 4)).astype(dtype)
    adjacency = np.ones((6, 5, 5), dtype)
    inputs = {
        "node_features": keras.Input((5, 4), dtype=dtype, name="node_features"),
        "adjacency": keras.Input((5, 5), dtype=dtype, name="adjacency"),
    }
    tokens = GCNLayer(4)(inputs)
    vector = GraphMeanPooling()({**inputs, "node_features": tokens})
    block = FusionBlock(("tokens", "counts"), dim=8)
    fused = block({"tokens": vector, "counts": inputs["node_features"]})
    model = keras.Model(inputs, keras.layers.Dense(1)(fused))
    model.compile("adam", "mse", jit_compile=False)
    data = {"node_features": counts, "adjacency": adjacency}
    before = [to_numpy(weight) for weight in model.trainable_weights]
    history = model.fit(data, counts.sum(axis=(1, 2)), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for weight, old_value in zip(model.trainable_weights, before, strict=True):
        assert np.any(to_numpy(weight) != old_value) or "score" in weight.path, weight.path
    floats = {name: value.astype("float32") for name, value in data.items()}
    np.testing.assert_allclose(
        model.predict(data, verbose=0), to_numpy(model(floats)), rtol=1e-5, atol=1e-5
    )


def test_unsigned_timestamps_do_not_wrap_around():
    times = np.array([[[0, 1], [5, 6], [2, 9]]], "uint8")
    tokens = np.eye(3, dtype="float32")[None]
    _, expected = TimestampAlignment()(tokens, tokens, np.float32(times), np.float32(times))
    _, plan = TimestampAlignment()(tokens, tokens, times, times)
    np.testing.assert_array_equal(to_numpy(plan), to_numpy(expected))


def test_float_index_raises():
    with pytest.raises(ValueError, match="'index' must be of integers. Received: float32"):
        SparseDense(3, 4)(INDEX.astype("float32"), np.ones(4, "float32"), num_rows=3)


def test_complex_input_raises():
    if keras.config.backend() == "jax":
        value = np.ones((1, 2, 3), "complex64")
    else:
        value = keras.ops.convert_to_tensor(np.ones((1, 2, 3), "complex64"))
    with pytest.raises(ValueError, match="inputs must be floats, integers or bool.*complex64"):
        FusionBlock(("a", "b"), dim=4)({"a": np.ones((1, 2)), "b": value})


def test_graph_builders_accept_integer_masks_and_weights():
    features = np.eye(4)[[0, 0, 1, 1]]
    edges, _ = connect_neighbors(features, neighbors=1, source_mask=np.array([1, 1, -1, 2]))
    assert edges.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]
    graph = {"node_features": np.eye(3, dtype="int32"), "edge_index": INDEX[:, [0, 2, 3]]}
    graph["edge_weight"] = np.array([3, 1, 2])
    scale = to_numpy(normalize_graph(graph)["source_scale"])
    np.testing.assert_allclose(scale, np.array([2, 4, 3]) ** -0.5, rtol=1e-6)

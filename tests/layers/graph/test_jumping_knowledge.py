import keras
import numpy as np
import pytest
from graph_references import randomize
from layer_checks import to_numpy

from keras_mmfusion.layers.graph import JumpingKnowledge

RNG = np.random.default_rng(0)
LAYERS = [RNG.normal(size=(7, 4)).astype("float32") for _ in range(3)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def compute_lstm_states(layer, steps):
    """Returns the states of an LSTM after each of its steps `(rows, dim)`."""
    kernel, recurrent, bias = (np.float64(weight) for weight in layer.get_weights())
    hidden = cell = np.zeros((len(steps[0]), len(recurrent)))
    states = []
    for x in steps:
        gates = np.split(x @ kernel + hidden @ recurrent + bias, 4, axis=1)
        input_gate, forget_gate, candidate, output_gate = gates
        cell = sigmoid(forget_gate) * cell + sigmoid(input_gate) * np.tanh(candidate)
        hidden = sigmoid(output_gate) * np.tanh(cell)
        states.append(hidden)
    return states


def compute_attention(layer, inputs):
    forward = compute_lstm_states(layer.lstm.forward_layer, inputs)
    backward = compute_lstm_states(layer.lstm.backward_layer, inputs[::-1])[::-1]
    kernel, bias = (np.float64(weight) for weight in layer.score_dense.get_weights())
    scores = np.stack(
        [
            np.concatenate(pair, axis=1) @ kernel + bias
            for pair in zip(forward, backward, strict=True)
        ]
    )
    powers = np.exp(scores)
    return (powers / powers.sum(axis=0) * np.stack(inputs)).sum(axis=0)


FORMULAS = {
    "concat": lambda layer, inputs: np.concatenate(inputs, axis=1),
    "max": lambda layer, inputs: np.max(inputs, axis=0),
    "attention": compute_attention,
}


@pytest.mark.parametrize("mode", FORMULAS)
def test_layer_matches_reference(mode):
    layer = randomize(JumpingKnowledge(mode, lstm_dim=3), LAYERS)
    expected = FORMULAS[mode](layer, LAYERS)
    np.testing.assert_allclose(to_numpy(layer(LAYERS)), expected, atol=1e-5)
    dense = to_numpy(layer([x[None] for x in LAYERS]))
    np.testing.assert_allclose(dense[0], expected, atol=1e-5)
    none = layer([x[:0] for x in LAYERS])
    assert tuple(none.shape) == (0, expected.shape[1])


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_attention_trains_and_saves(dtype, tmp_path):
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4,)) for _ in LAYERS]
    layer = JumpingKnowledge("attention", dtype=dtype)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 4)
    assert model.output.dtype == layer.compute_dtype
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = {weight.path: to_numpy(weight) for weight in layer.trainable_weights}
    model.fit(LAYERS, np.ones((7, 4)), verbose=0)
    for weight in layer.trainable_weights:
        # Softmax is invariant to the bias of the scores.
        assert weight.path.endswith("score/bias") or (to_numpy(weight) != before[weight.path]).any()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(LAYERS)), to_numpy(model(LAYERS)), atol=1e-6)


def test_concat_accepts_different_dims():
    actual = JumpingKnowledge()([LAYERS[0], LAYERS[1][:, :2]])
    np.testing.assert_array_equal(
        to_numpy(actual), np.concatenate([LAYERS[0], LAYERS[1][:, :2]], axis=1)
    )


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: JumpingKnowledge("lstm"), "`mode` must be 'concat', 'max' or 'attention'"),
        (lambda: JumpingKnowledge()(LAYERS[0]), "`inputs` must be a list of tensors"),
        (
            lambda: JumpingKnowledge("max")([LAYERS[0], LAYERS[1][:, :2]]),
            "all inputs must have the same dim",
        ),
    ],
)
def test_invalid_arguments_raise(function, message):
    with pytest.raises(ValueError, match=f"JumpingKnowledge: .*{message}"):
        function()

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.checkpoints.layouts import (
    join_linear,
    reshape,
    split_columns,
    split_qkv,
    stack,
    transpose_conv,
    transpose_linear,
)
from keras_mmfusion.checkpoints.source_weight import SourceWeight


def make_model():
    model = keras.Sequential([keras.layers.Dense(3, name="a"), keras.layers.Dense(2, name="b")])
    model.build((None, 4))
    return model


def list_weights(model, config):
    a, b = model.layers
    yield SourceWeight("a.weight", a.kernel, transpose_linear)
    yield SourceWeight("a.bias", a.bias)
    yield SourceWeight(("b0.weight", "b1.weight"), b.kernel, join_linear)
    yield SourceWeight(("b0.bias", "b1.bias"), b.bias, join_linear)


CONVERTER = SimpleNamespace(list_weights=list_weights, TIED={"copy": "a.weight"})
TENSORS = {
    "a.weight": np.arange(12, dtype="float32").reshape(3, 4),
    "a.bias": np.ones(3, "float16"),
    "b0.weight": np.full((1, 3), 2, "float32"),
    "b1.weight": np.full((1, 3), 3, "float32"),
    "model.b0.bias": np.zeros(1, "float32"),
    "model.b1.bias": np.ones(1, "float32"),
}


def test_all_weights_are_assigned():
    model = make_model()
    assign_weights(model, {}, CONVERTER, TENSORS)
    a, b = model.layers
    np.testing.assert_array_equal(a.kernel, TENSORS["a.weight"].T)
    np.testing.assert_array_equal(a.bias, [1, 1, 1])
    np.testing.assert_array_equal(b.kernel, [[2, 3]] * 3)
    np.testing.assert_array_equal(b.bias, [0, 1])


def test_tensors_are_read_one_after_the_other():
    """Each tensor is read when it is assigned, so that the weights are in memory once."""
    events = []

    class Tensors(dict):
        shapes = {name: array.shape for name, array in TENSORS.items()}

        def __getitem__(self, name):
            events.append(name.removeprefix("model."))
            return super().__getitem__(name)

    def list_recorded_weights(model, config):
        for weight in list_weights(model, config):

            def convert(*arrays, weight=weight):
                if all(array.strides != (0,) * array.ndim for array in arrays):  # Not the check.
                    events.append(weight.variable.path)
                return weight.convert(*arrays)

            yield SourceWeight(weight.key, weight.variable, convert)

    model = make_model()
    assign_weights(model, {}, SimpleNamespace(list_weights=list_recorded_weights), Tensors(TENSORS))
    a, b = model.layers
    assert events == [
        *("a.weight", a.kernel.path, "a.bias", a.bias.path),
        *("b0.weight", "b1.weight", b.kernel.path, "b0.bias", "b1.bias", b.bias.path),
    ]


def test_bfloat16_is_converted():
    import ml_dtypes

    model = make_model()
    tensors = {name: x.astype(ml_dtypes.bfloat16) for name, x in TENSORS.items()}
    assign_weights(model, {}, CONVERTER, tensors)
    np.testing.assert_array_equal(model.layers[0].kernel, TENSORS["a.weight"].T)


def test_tied_weights_must_be_equal():
    model = make_model()
    assign_weights(model, {}, CONVERTER, {**TENSORS, "copy": TENSORS["a.weight"]})
    with pytest.raises(ValueError, match="'copy' and 'a.weight' must have the same values"):
        assign_weights(model, {}, CONVERTER, {**TENSORS, "copy": TENSORS["a.weight"] + 1})


def test_wrong_shapes_are_named():
    tensors = {**TENSORS, "a.weight": np.zeros((4, 3), "float32")}
    with pytest.raises(ValueError, match=r"'a.weight' of shape \(4, 3\) does not fit .*a/kernel"):
        assign_weights(make_model(), {}, CONVERTER, tensors)
    tensors = {**TENSORS, "b0.weight": np.zeros((1, 3, 1), "float32")}
    with pytest.raises(ValueError, match=r"'b0.weight' and 'b1.weight' .* cannot be converted"):
        assign_weights(make_model(), {}, CONVERTER, tensors)


def test_names_are_matched_before_a_variable_changes():
    model = make_model()
    before = keras.ops.convert_to_numpy(model.layers[0].kernel).copy()
    with pytest.raises(ValueError, match="without a use: 'c'"):
        assign_weights(model, {}, CONVERTER, {**TENSORS, "c": np.zeros(1)})
    np.testing.assert_array_equal(model.layers[0].kernel, before)


def test_a_converter_must_load_every_variable():
    converter = SimpleNamespace(list_weights=lambda model, config: [])
    with pytest.raises(ValueError, match="does not load the variables .*a/kernel"):
        assign_weights(make_model(), {}, converter, {})


def test_layouts():
    qkv = np.arange(12).reshape(6, 2)
    np.testing.assert_array_equal(split_qkv(1)(qkv), [[4, 6], [5, 7]])
    np.testing.assert_array_equal(split_qkv(2)(np.arange(6)), [4, 5])
    with pytest.raises(ValueError, match="7 rows"):
        split_qkv(0)(np.arange(7))
    np.testing.assert_array_equal(split_columns(1, 2)(np.arange(8).reshape(2, 4)), [[2, 3], [6, 7]])
    conv = np.random.default_rng(0).random((5, 3, 2, 4))
    assert transpose_conv(conv).shape == (2, 4, 3, 5)
    assert transpose_conv(conv)[1, 2, 0, 4] == conv[4, 0, 1, 2]
    assert reshape(-1)(np.zeros((1, 1, 7))).shape == (7,)
    assert stack(np.zeros(3), np.ones(3)).tolist() == [[0] * 3, [1] * 3]

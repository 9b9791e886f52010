import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import FusionModel


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="other backends build early")
def test_first_fit_traces_the_training_step_once(monkeypatch):
    names = "a", "b"
    encoders = {name: VectorEncoder(4) for name in names}
    model = FusionModel(encoders, FusionBlock(names, dim=4), keras.layers.Dense(1))
    inputs = {name: np.ones((2, 3), "float32") for name in names}
    model(inputs)
    model.compile("adam", "mse")
    traces = []
    train_step = model.train_step
    monkeypatch.setattr(model, "train_step", lambda data: traces.append(1) or train_step(data))

    model.fit(inputs, np.ones((2, 1)), verbose=0)

    assert len(traces) == 1


def make_dense_model(dtype, optimizer):
    names = "a", "b"
    encoders = {name: VectorEncoder(4, dtype=dtype) for name in names}
    head = keras.layers.Dense(1, dtype=dtype)
    model = FusionModel(encoders, FusionBlock(names, dim=4, dtype=dtype), head, dtype=dtype)
    inputs = {name: np.ones((2, 3), "float32") for name in names}
    model(inputs)
    model.compile(optimizer, "mse", run_eagerly=True)
    return model, inputs


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Nadam", "Lamb"])
def test_fit_rejects_bfloat16_weights_with_an_optimizer_that_does_not_change_them(name):
    model, inputs = make_dense_model("bfloat16", getattr(keras.optimizers, name)())

    with pytest.raises(ValueError, match="cannot train weights in bfloat16.*mixed_bfloat16"):
        model.fit(inputs, np.ones((2, 1)), verbose=0)


@pytest.mark.parametrize(
    ("dtype", "optimizer"),
    [
        ("bfloat16", keras.optimizers.SGD(0.1)),
        ("bfloat16", keras.optimizers.Adam(0.1, beta_2=0.98)),
        ("mixed_bfloat16", keras.optimizers.Adam(0.1)),
    ],
)
def test_fit_changes_weights_under_bfloat16(dtype, optimizer):
    model, inputs = make_dense_model(dtype, optimizer)
    before = keras.ops.convert_to_numpy(model.trainable_variables[0])

    model.fit(inputs, np.ones((2, 1)), verbose=0)

    assert (keras.ops.convert_to_numpy(model.trainable_variables[0]) != before).any()

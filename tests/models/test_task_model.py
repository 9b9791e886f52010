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

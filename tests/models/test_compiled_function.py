import keras
import numpy as np
import pytest

from keras_mmfusion.models.compiled_function import (
    compile_function,
    is_faster_with_xla,
    resolve_jit_compile,
)


def test_compiled_function_with_inputs_of_different_rank():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    ranks = []

    def function(x):
        ranks.append(len(x.shape))
        return layer(x)

    compiled = compile_function(layer, function)
    for shape in ((2, 4, 4, 3), (2, 4, 3)):
        assert tuple(compiled(np.zeros(shape, "float32")).shape) == (*shape[:-1], 2)
    assert set(ranks) == {3, 4}


@pytest.mark.parametrize("devices", [[], ["GPU:0"]])
def test_large_decoders_use_xla_only_on_a_gpu(monkeypatch, devices):
    tensorflow = pytest.importorskip("tensorflow")
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: devices)
    assert [is_faster_with_xla(dim) for dim in (511, 512, 768)] == [True, *[bool(devices)] * 2]
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    assert is_faster_with_xla(768)


@pytest.mark.parametrize(("devices", "expected"), [([], False), (["GPU:0"], "auto")])
def test_training_on_cpus_is_without_xla_unless_requested(monkeypatch, devices, expected):
    tensorflow = pytest.importorskip("tensorflow")
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: devices)
    assert [resolve_jit_compile(x) for x in ("auto", True, False)] == [expected, True, False]
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    assert resolve_jit_compile("auto") == "auto"

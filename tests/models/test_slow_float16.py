import warnings

import keras
import pytest

from keras_mmfusion.models.presets import slow_float16

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def on_cpu(monkeypatch):
    if keras.config.backend() != "tensorflow":
        pytest.skip("Only TensorFlow lacks fast float16 on a CPU")
    slow_float16._warn_on_cpu.cache_clear()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])


def warned(policy):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        slow_float16.warn_of_slow_float16(policy)
    return [str(each.message) for each in found]


def test_float16_on_cpu_warns_once(on_cpu):
    [message] = warned("mixed_float16")
    assert "many times slower" in message and "'mixed_bfloat16'" in message
    assert warned("mixed_float16") == []


def test_other_dtypes_and_devices_do_not_warn(on_cpu, monkeypatch):
    assert warned("mixed_bfloat16") == warned("float32") == []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert warned(keras.DTypePolicy("mixed_float16")) == []

import time

import h5py
import keras
import numpy as np
import pytest

from keras_mmfusion.models.presets.half_precision_weights import store_as_float16


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(f"layers/{name}", data=values)


def read(path, name):
    with h5py.File(path) as file:
        return file[f"layers/{name}"][()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.weights.h5"


def test_float32_is_stored_as_float16_and_other_dtypes_are_kept(path):
    kernel = np.random.default_rng(0).normal(size=(128, 64)).astype("float32")
    write(
        path,
        kernel=kernel,
        scalar=np.float32(0.5),
        none=np.zeros((0, 3), "float32"),
        seed=np.array([1, 2**31], "uint32"),
        double=np.array([1e300]),
        word="tokens",
    )
    store_as_float16(path)

    np.testing.assert_array_equal(read(path, "kernel"), kernel.astype("float16"))
    assert read(path, "kernel").dtype == np.float16
    assert read(path, "scalar") == np.float16(0.5)
    assert read(path, "none").shape == (0, 3)
    np.testing.assert_array_equal(read(path, "seed"), np.array([1, 2**31], "uint32"))
    np.testing.assert_array_equal(read(path, "double"), [1e300])
    assert read(path, "word") == b"tokens"


def test_attributes_are_preserved(path):
    write(path, kernel=np.ones(3, "float32"))
    with h5py.File(path, "a") as file:
        file["layers"].attrs["name"] = "encoder"
        file["layers/kernel"].attrs["dtype"] = "float32"
    store_as_float16(path)

    with h5py.File(path) as file:
        assert file["layers"].attrs["name"] == "encoder"
        assert file["layers/kernel"].attrs["dtype"] == "float32"


# Keras's TensorFlow variables do not support the `copy` argument of NumPy 2.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_keras_models_load_float16_weights(path):
    def build():
        return keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(128), keras.layers.BatchNormalization()]
        )

    model, copy = build(), build()
    model.save_weights(path)
    size = path.stat().st_size
    store_as_float16(path)
    copy.load_weights(path)

    assert path.stat().st_size < 0.75 * size
    for weight, original in zip(copy.weights, model.weights, strict=True):
        assert weight.dtype == "float32"
        np.testing.assert_array_equal(weight, np.array(original).astype("float16"))


def test_equal_weights_give_equal_bytes(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(128, 64)).astype("float32")
    first, second = tmp_path / "first.weights.h5", tmp_path / "second.weights.h5"
    write(first, kernel=kernel)
    store_as_float16(first)
    # HDF5 timestamps have a resolution of one second.
    time.sleep(1.1)
    write(second, kernel=kernel)
    store_as_float16(second)

    assert first.read_bytes() == second.read_bytes()


def test_store_as_float16_is_idempotent(path):
    write(path, kernel=np.ones((128, 64), "float32"))
    store_as_float16(path)
    once = path.read_bytes()
    store_as_float16(path)
    assert path.read_bytes() == once


def test_file_mode_is_preserved(path):
    write(path, kernel=np.ones(3, "float32"))
    path.chmod(0o640)
    store_as_float16(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_infinities_and_nans_are_preserved(path):
    values = np.array([np.inf, -np.inf, np.nan], "float32")
    write(path, kernel=values)
    store_as_float16(path)
    np.testing.assert_array_equal(read(path, "kernel"), values.astype("float16"))


def test_value_out_of_float16_range_raises_and_keeps_the_file(path):
    write(path, kernel=np.array([1.0, -70000.0], "float32"))
    before = path.read_bytes()
    message = "'/layers/kernel' contains 70000, which exceeds the range of float16"
    with pytest.raises(ValueError, match=message):
        store_as_float16(path)

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

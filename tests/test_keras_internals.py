"""Private attributes of Keras and KerasHub are used in one module only."""

import re
from pathlib import Path

import keras
import numpy as np

from keras_mmfusion._keras_internals import (
    flatten_layers,
    get_keras_mask,
    has_sublayers,
    save_optimizer_as,
)

PACKAGE = Path(__file__).resolve().parents[1] / "keras_mmfusion"
PRIVATE = re.compile(
    r"\._(flatten_layers|layers|compile_config|aggregate_additional_loss|keras_mask"
    r"|use_tf_workflow)\b|\"_(keras_mask|flatten_layers)\""
)


def test_private_attributes_are_used_in_one_module():
    users = [path.name for path in PACKAGE.rglob("*.py") if PRIVATE.search(path.read_text("utf-8"))]
    assert users == ["_keras_internals.py"]


def test_layers_and_sublayers():
    dense = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((3,)), keras.Sequential([dense])])
    assert dense in flatten_layers(model) and model in flatten_layers(model)
    assert model not in flatten_layers(model, include_self=False)
    assert has_sublayers(model) and not has_sublayers(dense)


def test_keras_mask():
    embedding = keras.layers.Embedding(4, 2, mask_zero=True)
    mask = get_keras_mask(embedding(np.array([[1, 0]])))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(mask), [[True, False]])
    assert get_keras_mask(keras.ops.ones(2)) is None


def test_saved_optimizer_is_replaced():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    save_optimizer_as(model, keras.optimizers.Adam())
    assert model.get_compile_config()["optimizer"]["class_name"] == "Adam"

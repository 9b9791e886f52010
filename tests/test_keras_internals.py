"""Private attributes of Keras and KerasHub are used in one module only."""

import ast
import gc
import re
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mmfusion._keras_internals import (
    collect_only_new_garbage,
    flatten_layers,
    get_attention_softmax,
    get_keras_mask,
    get_trainable_variables,
    has_sublayers,
    save_optimizer_as,
    skip_random_values,
)

PACKAGE = Path(__file__).resolve().parents[1] / "keras_mmfusion"
# Documented methods of named tuples.
PUBLIC = {"_asdict", "_replace"}


def find_foreign_names(sources):
    """Returns the files that use private attributes which none of the files define.

    Args:
        sources: dict, file name -> source.
    """
    defined, used = set(PUBLIC), {}
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute):
                if isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
                    defined.add(node.attr)
                used.setdefault(node.attr, set()).add(name)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
                if isinstance(node.args[1], ast.Constant):
                    used.setdefault(node.args[1].value, set()).add(name)
            elif isinstance(node, ast.ImportFrom) and ".src" in (node.module or ""):
                used.setdefault("_src", set()).add(name)
    private = {attr for attr in used if re.fullmatch("_[^_].*", attr)}
    modules = {Path(name).stem for name in sources}
    return set().union(*(used[attr] for attr in private - defined - modules))


def test_private_attributes_are_used_in_one_module():
    sources = {str(path): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    assert find_foreign_names(sources) == {str(PACKAGE / "_keras_internals.py")}


@pytest.mark.parametrize(
    "code", ["x._layers", "getattr(x, '_keras_mask', None)", "from keras.src.layers import Layer"]
)
def test_private_attributes_are_found(code):
    own = "class A:\n    _a = 1\n    def _b(self):\n        self._c = self._a"
    assert find_foreign_names({"own": own, "user": "x._a, x._b, x._c, x._replace()"}) == set()
    assert find_foreign_names({"own": own, "user": code}) == {"user"}


def test_layers_and_sublayers():
    dense = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((3,)), keras.Sequential([dense])])
    assert dense in flatten_layers(model) and model in flatten_layers(model)
    assert model not in flatten_layers(model, include_self=False)
    assert has_sublayers(model) and not has_sublayers(dense)


def test_softmax_of_attention():
    layer = keras.layers.MultiHeadAttention(1, 2)
    layer.build((None, 3, 4), (None, 3, 4))
    assert isinstance(get_attention_softmax(layer), keras.layers.Softmax)


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


def test_trainable_variables_of_an_optimizer():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    found = get_trainable_variables(optimizer)
    assert list(map(id, found)) == list(map(id, model.trainable_variables))


class CountedNormal(keras.initializers.RandomNormal):
    """Counts how often random values are drawn."""

    calls = 0

    def __call__(self, *args, **kwargs):
        CountedNormal.calls += 1
        return super().__call__(*args, **kwargs)


def test_random_values_are_skipped_in_the_block_only():
    CountedNormal.calls = 0
    with pytest.raises(KeyError), skip_random_values():
        dense = keras.layers.Dense(2, kernel_initializer=CountedNormal(), dtype="bfloat16")
        dense.build((None, 3))
        # The variables of a layer that is built by a symbolic call are created afterwards.
        symbolic = keras.layers.Dense(2, kernel_initializer=CountedNormal())
        symbolic(keras.Input((3,)))
        raise KeyError
    assert CountedNormal.calls == 0
    for layer, dtype in ((dense, "bfloat16"), (symbolic, "float32")):
        assert layer.kernel.shape == (3, 2) and layer.kernel.dtype == dtype
        layer.kernel.assign(np.ones((3, 2)))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(np.ones((1, 3)))), [[3, 3]])
    keras.layers.Dense(2, kernel_initializer=CountedNormal()).build((None, 3))
    assert CountedNormal.calls == 1


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "random_uniform"])
def test_initializers_of_keras_draw_no_values_in_the_block(initializer, monkeypatch):
    initializer = keras.initializers.get(initializer)
    monkeypatch.setattr(type(initializer), "__call__", None)
    with skip_random_values():
        keras.layers.Dense(2, kernel_initializer=initializer).build((None, 3))


def test_other_initial_values_are_kept_in_the_block():
    with skip_random_values():
        norm = keras.layers.BatchNormalization()
        norm.build((None, 3))
        dense = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(7))
        dense.build((None, 3))
    for variable, value in ((norm.gamma, 1), (norm.moving_mean, 0), (dense.bias, 7)):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


class Node:
    """An object in a cycle of references, which only a garbage collection frees."""

    def __init__(self):
        self.node = self


def test_only_new_garbage_is_collected():
    gc.disable()
    try:
        old = weakref.ref(Node())
        with collect_only_new_garbage():
            new = weakref.ref(Node())
            gc.collect()
            assert old() is not None and new() is None
        gc.collect()
        assert old() is None
        gc.freeze()
        with collect_only_new_garbage():
            pass
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.enable()

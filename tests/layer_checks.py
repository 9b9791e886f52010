"""What every layer must stand, in one helper."""

import json

import keras
import numpy as np

from keras_mmfusion._keras_internals import flatten_layers

DTYPES = ("int32", "bool", "float16")
if keras.config.backend() != "jax":  # Which makes 32 bits of 64.
    DTYPES += ("int64", "float64")
POLICIES = {"float32": 1e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.1}


def run_layer_checks(make_layer, inputs, masks=None, without_gradient=(), folder=None, learns=True):
    """Puts a layer through configuration, saving, shapes, training, dtypes, XLA and masks.

    Args:
        make_layer: function of `dtype` that returns a new layer, which is called with `inputs`.
        inputs: dict, call argument -> NumPy array, dict of arrays, or what is no tensor (a flag).
        masks: dict, name of a mask in `inputs` -> name of the tensor that it masks. Where such a
            mask is `False`, NaN must not change the output; all `False`, it must stay finite. In
            a dict of arrays a name is a tuple, such as `("mask", "text")`.
        without_gradient: tuple of endings of the paths of weights that no loss can depend on.
        folder: path for a `.keras` file.
        learns: bool. Whether the layer has weights.
    """
    layer = make_layer(dtype="float32")
    expected = call(layer, inputs)
    check_config(layer, inputs, expected)
    check_saved_file(layer, inputs, expected, folder)
    check_precision(make_layer, layer, inputs, expected)
    check_dtypes(layer, inputs)
    check_compilation(layer, inputs, expected)
    for mask, tensor in (masks or {}).items():
        check_padding(layer, inputs, expected, mask, tensor)
        check_missing(layer, inputs, mask, tensor)
    if learns:
        check_fit(make_layer, inputs, without_gradient)


def call(layer, inputs):
    """The layer's outputs as a list of float32 arrays."""
    return [to_numpy(output) for output in keras.tree.flatten(layer(**inputs))]


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def functional(layer, inputs):
    """A functional model of the layer; flags are fixed, tensors become its inputs."""
    tensors = {
        name: keras.Input(value.shape[1:], dtype=str(value.dtype), name=name)
        for name, value in arrays(inputs).items()
    }
    return keras.Model(tensors, keras.tree.flatten(layer(**with_tensors(inputs, tensors))))


def arrays(inputs, prefix=""):
    """The arrays of `inputs` by name, those of a dict or a list by its name and theirs."""
    found = {}
    for name, value in parts(inputs):
        name = joined(prefix, name)
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, dict | list):
            found.update(arrays(value, name))
    return found


def parts(inputs):
    """Names and values of a dict, or indices and values of a list."""
    if isinstance(inputs, dict):
        return inputs.items()
    return ((str(index), value) for index, value in enumerate(inputs))


def with_tensors(inputs, tensors, prefix=""):
    """`inputs` with the tensors, named as by `arrays`, in the places of their arrays."""
    changed = {
        name: with_tensors(value, tensors, joined(prefix, name))
        if isinstance(value, dict | list)
        else tensors.get(joined(prefix, name), value)
        for name, value in parts(inputs)
    }
    return list(changed.values()) if isinstance(inputs, list) else changed


def joined(prefix, name):
    name = name.replace("/", "_")  # Keras allows no slashes in names.
    return f"{prefix}_{name}" if prefix else name


def get(inputs, name):
    for key in name if isinstance(name, tuple) else (name,):
        inputs = inputs[key]
    return inputs


def replaced(inputs, name, array):
    first, *rest = name if isinstance(name, tuple) else (name,)
    return {**inputs, first: replaced(inputs[first], tuple(rest), array) if rest else array}


def assert_close(found, expected, tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def check_config(layer, inputs, expected):
    config = layer.get_config()
    assert json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    clone = type(layer).from_config(layer.get_config())
    assert clone.get_config() == config
    call(clone, inputs)
    clone.set_weights(layer.get_weights())
    assert_close(call(clone, inputs), expected, 1e-6)


def check_saved_file(layer, inputs, expected, folder):
    path = folder / "layer.keras"
    functional(layer, inputs).save(path)
    loaded = keras.saving.load_model(path)
    found = [to_numpy(output) for output in keras.tree.flatten(loaded(arrays(inputs)))]
    assert_close(found, expected, 1e-6)


def check_symbolic_shapes(layer, inputs):
    symbolic = keras.tree.flatten(functional(layer, inputs).outputs)
    eager = keras.tree.flatten(layer(**inputs))
    assert len(symbolic) == len(eager)
    for one, other in zip(symbolic, eager, strict=True):
        assert one.shape.count(None) <= 1  # the batch
        assert len(one.shape) == len(other.shape)
        assert all(size in (None, dim) for size, dim in zip(one.shape, other.shape, strict=True))
        assert one.dtype == keras.backend.standardize_dtype(other.dtype)


def check_precision(make_layer, layer, inputs, expected):
    for policy, tolerance in POLICIES.items():
        other = make_layer(dtype=policy)
        check_symbolic_shapes(other, inputs)
        assert {part.dtype_policy.name for part in flatten_layers(other)} == {policy}
        assert {weight.dtype for weight in other.trainable_weights} <= {"float32"}
        other.set_weights(layer.get_weights())
        found = call(other, inputs)
        assert all(np.isfinite(output).all() for output in found)
        assert_close(found, expected, tolerance)


def check_dtypes(layer, inputs):
    """Numbers and masks of any dtype give what they give as float32 and bool."""
    expected = call(layer, of_dtype(inputs, "float32"))
    for dtype in DTYPES:
        given = of_dtype(inputs, dtype)
        assert_close(call(layer, given), expected, 1e-6)
        check_symbolic_shapes(layer, given)


def of_dtype(inputs, dtype):
    """`inputs` with numbers of 0 and 1, which every dtype has, and masks of 0 and 2.

    As float32 masks stay bool. Indices stay integers: of 8, 32 or 64 bits.
    """
    if isinstance(inputs, dict):
        return {name: of_dtype(value, dtype) for name, value in inputs.items()}
    if isinstance(inputs, list):
        return [of_dtype(value, dtype) for value in inputs]
    if not isinstance(inputs, np.ndarray):
        return inputs
    if inputs.dtype.kind == "i":
        return inputs.astype({"int64": "int64", "bool": "int8"}.get(dtype, "int32"))
    if inputs.dtype == "bool":
        return inputs if dtype in ("float32", "bool") else 2 * inputs.astype(dtype)
    return (inputs > 0.5).astype(dtype)


def check_compilation(layer, inputs, expected):
    """The same numbers under XLA, on the backends that have it."""
    tensors = {name: keras.ops.convert_to_tensor(value) for name, value in arrays(inputs).items()}
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(
            lambda **tensors: layer(**with_tensors(inputs, tensors)), jit_compile=True
        )
    elif keras.config.backend() == "jax":
        import jax

        compiled = jax.jit(lambda **tensors: layer(**with_tensors(inputs, tensors)))
    else:
        return
    found = [to_numpy(output) for output in keras.tree.flatten(compiled(**tensors))]
    assert_close(found, expected, 1e-4)


def check_padding(layer, inputs, expected, mask, tensor):
    keep = get(inputs, mask)
    assert keep.any() and not keep.all()
    padded = get(inputs, tensor).copy()
    padded[~keep] = np.nan
    assert_close(call(layer, replaced(inputs, tensor, padded)), expected, 1e-6)


def check_missing(layer, inputs, mask, tensor):
    without = replaced(inputs, mask, np.zeros_like(get(inputs, mask)))
    found = call(layer, without)
    assert all(np.isfinite(output).all() for output in found)
    empty = np.full_like(get(inputs, tensor), np.nan)
    assert_close(call(layer, replaced(without, tensor, empty)), found, 1e-6)


def check_fit(make_layer, inputs, without_gradient):
    """One step of `fit`, with a finite gradient on every weight."""
    layer = make_layer(dtype="float32")
    model = functional(layer, inputs)
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=output.shape) for output in call(layer, inputs)]
    model.compile(keras.optimizers.SGD(1.0), ["mse"] * len(targets))
    before = {weight.path: to_numpy(weight) for weight in layer.trainable_weights}
    # As one batch that is given whole: what belongs to a graph has no common first dim.
    batch = (arrays(inputs), tuple(targets) if len(targets) > 1 else targets[0])
    model.fit((batch for _ in range(2)), steps_per_epoch=1, epochs=1, verbose=0, shuffle=False)
    after = {weight.path: to_numpy(weight) for weight in layer.trainable_weights}
    assert before
    for path, values in after.items():
        assert np.isfinite(values).all(), path
        if not path.endswith(without_gradient):
            assert np.any(values != before[path]), path

"""One helper that runs the checks that every layer must pass."""

import json

import keras
import numpy as np

from keras_mmfusion._keras_internals import flatten_layers

DTYPES = ("int32", "bool", "float16")
if keras.config.backend() != "jax":  # JAX casts 64 bits to 32.
    DTYPES += ("int64", "float64")
POLICIES = {"float32": 1e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.1}


def run_layer_checks(make_layer, inputs, masks=None, without_gradient=(), folder=None, learns=True):
    """Checks configuration, saving, shapes, training, dtypes, XLA and masks of a layer.

    Args:
        make_layer: function of `dtype` that returns a new layer.
        inputs: dict, call argument -> NumPy array, dict or list of arrays, or a flag.
        masks: dict, name of a mask in `inputs` -> name of the tensor that it masks. NaN in masked
            positions must not change the output, and the output must be finite if all positions
            are masked. A name in a nested dict is a tuple, such as `("mask", "text")`.
        without_gradient: tuple of path endings of weights without a gradient.
        folder: path for a `.keras` file.
        learns: bool. Whether one step of `fit` must change the weights; `False` without weights.
    """
    layer = make_layer(dtype="float32")
    expected = call_layer(layer, inputs)
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


def call_layer(layer, inputs):
    """The layer's outputs as a list of float32 arrays."""
    return [to_numpy(output) for output in keras.tree.flatten(layer(**inputs))]


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def make_model(layer, inputs):
    """Makes a functional model of the layer whose inputs are the arrays; flags are constant."""
    tensors = {
        name: keras.Input(value.shape[1:], dtype=str(value.dtype), name=name)
        for name, value in flatten_arrays(inputs).items()
    }
    return keras.Model(tensors, keras.tree.flatten(layer(**replace_arrays(inputs, tensors))))


def flatten_arrays(inputs, prefix=""):
    """Flattens nested arrays to a dict, name -> array; names of nested arrays are joined."""
    arrays = {}
    for name, value in list_items(inputs):
        name = join_names(prefix, name)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, dict | list):
            arrays.update(flatten_arrays(value, name))
    return arrays


def list_items(inputs):
    """Lists the items of a dict, or the indices and items of a list."""
    if isinstance(inputs, dict):
        return inputs.items()
    return ((str(index), value) for index, value in enumerate(inputs))


def replace_arrays(inputs, tensors, prefix=""):
    """Replaces the arrays of `inputs` by tensors, with the names of `flatten_arrays`."""
    changed = {
        name: replace_arrays(value, tensors, join_names(prefix, name))
        if isinstance(value, dict | list)
        else tensors.get(join_names(prefix, name), value)
        for name, value in list_items(inputs)
    }
    return list(changed.values()) if isinstance(inputs, list) else changed


def join_names(prefix, name):
    name = name.replace("/", "_")  # Keras allows no slashes in names.
    return f"{prefix}_{name}" if prefix else name


def get_value(inputs, name):
    for key in name if isinstance(name, tuple) else (name,):
        inputs = inputs[key]
    return inputs


def replace_value(inputs, name, array):
    first, *rest = name if isinstance(name, tuple) else (name,)
    return {**inputs, first: replace_value(inputs[first], tuple(rest), array) if rest else array}


def assert_close(outputs, expected, tolerance):
    assert len(outputs) == len(expected)
    for output, expected_output in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, expected_output, rtol=tolerance, atol=tolerance)


def check_config(layer, inputs, expected):
    config = layer.get_config()
    assert json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    clone = type(layer).from_config(layer.get_config())
    assert clone.get_config() == config
    call_layer(clone, inputs)
    clone.set_weights(layer.get_weights())
    assert_close(call_layer(clone, inputs), expected, 1e-6)


def check_saved_file(layer, inputs, expected, folder):
    path = folder / "layer.keras"
    make_model(layer, inputs).save(path)
    loaded = keras.saving.load_model(path)
    outputs = [to_numpy(output) for output in keras.tree.flatten(loaded(flatten_arrays(inputs)))]
    assert_close(outputs, expected, 1e-6)


def check_symbolic_shapes(layer, inputs):
    symbolic = keras.tree.flatten(make_model(layer, inputs).outputs)
    eager = keras.tree.flatten(layer(**inputs))
    assert len(symbolic) == len(eager)
    for spec, output in zip(symbolic, eager, strict=True):
        assert spec.shape.count(None) <= 1  # the batch
        assert len(spec.shape) == len(output.shape)
        assert all(size in (None, dim) for size, dim in zip(spec.shape, output.shape, strict=True))
        assert spec.dtype == keras.backend.standardize_dtype(output.dtype)


def check_precision(make_layer, layer, inputs, expected):
    for policy, tolerance in POLICIES.items():
        other = make_layer(dtype=policy)
        check_symbolic_shapes(other, inputs)
        assert {part.dtype_policy.name for part in flatten_layers(other)} == {policy}
        assert {weight.dtype for weight in other.trainable_weights} <= {"float32"}
        other.set_weights(layer.get_weights())
        outputs = call_layer(other, inputs)
        assert all(np.isfinite(output).all() for output in outputs)
        assert_close(outputs, expected, tolerance)


def check_dtypes(layer, inputs):
    """Inputs and masks of any dtype give the same outputs as float32 and bool."""
    expected = call_layer(layer, cast_inputs(inputs, "float32"))
    for dtype in DTYPES:
        cast = cast_inputs(inputs, dtype)
        assert_close(call_layer(layer, cast), expected, 1e-6)
        check_symbolic_shapes(layer, cast)


def cast_inputs(inputs, dtype):
    """Casts floats to 0 and 1, which every dtype can represent, and masks to 0 and 2.

    Masks stay bool for float32. Indices stay integers of 8, 32 or 64 bits.
    """
    if isinstance(inputs, dict):
        return {name: cast_inputs(value, dtype) for name, value in inputs.items()}
    if isinstance(inputs, list):
        return [cast_inputs(value, dtype) for value in inputs]
    if not isinstance(inputs, np.ndarray):
        return inputs
    if inputs.dtype.kind == "i":
        return inputs.astype({"int64": "int64", "bool": "int8"}.get(dtype, "int32"))
    if inputs.dtype == "bool":
        return inputs if dtype in ("float32", "bool") else 2 * inputs.astype(dtype)
    return (inputs > 0.5).astype(dtype)


def check_compilation(layer, inputs, expected):
    """XLA gives the same outputs, on backends that support it."""
    tensors = {
        name: keras.ops.convert_to_tensor(value) for name, value in flatten_arrays(inputs).items()
    }
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(
            lambda **tensors: layer(**replace_arrays(inputs, tensors)), jit_compile=True
        )
    elif keras.config.backend() == "jax":
        import jax

        compiled = jax.jit(lambda **tensors: layer(**replace_arrays(inputs, tensors)))
    else:
        return
    outputs = [to_numpy(output) for output in keras.tree.flatten(compiled(**tensors))]
    assert_close(outputs, expected, 1e-4)


def check_padding(layer, inputs, expected, mask, tensor):
    values = get_value(inputs, mask)
    assert values.any() and not values.all()
    padded = get_value(inputs, tensor).copy()
    padded[~values] = np.nan
    assert_close(call_layer(layer, replace_value(inputs, tensor, padded)), expected, 1e-6)


def check_missing(layer, inputs, mask, tensor):
    missing = replace_value(inputs, mask, np.zeros_like(get_value(inputs, mask)))
    outputs = call_layer(layer, missing)
    assert all(np.isfinite(output).all() for output in outputs)
    empty = np.full_like(get_value(inputs, tensor), np.nan)
    assert_close(call_layer(layer, replace_value(missing, tensor, empty)), outputs, 1e-6)


def check_fit(make_layer, inputs, without_gradient):
    """One step of `fit` changes every weight, and all weights stay finite."""
    layer = make_layer(dtype="float32")
    model = make_model(layer, inputs)
    # A seed that no test uses for inputs: a layer that starts as the identity would have no loss.
    rng = np.random.default_rng(1234)
    targets = [rng.normal(size=output.shape) for output in call_layer(layer, inputs)]
    model.compile(keras.optimizers.SGD(1.0), ["mse"] * len(targets))
    before = {weight.path: to_numpy(weight) for weight in layer.trainable_weights}
    # A generator of whole batches, since the arrays of a graph have no common first dim.
    batch = (flatten_arrays(inputs), tuple(targets) if len(targets) > 1 else targets[0])
    model.fit((batch for _ in range(2)), steps_per_epoch=1, epochs=1, verbose=0, shuffle=False)
    after = {weight.path: to_numpy(weight) for weight in layer.trainable_weights}
    assert before
    for path, values in after.items():
        assert np.isfinite(values).all(), path
        if not path.endswith(without_gradient):
            assert np.any(values != before[path]), path

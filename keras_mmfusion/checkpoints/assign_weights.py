"""Assigns the tensors of a checkpoint to the variables of a model, one after the other."""

import re

import keras
import numpy as np

from keras_mmfusion.checkpoints.converters import get_key_rules
from keras_mmfusion.checkpoints.key_matching import match_keys


def assign_weights(model, config, converter, tensors):
    """Assigns all weights of a checkpoint to a built model.

    Names and shapes are checked before any tensor is read and any variable changes.

    Args:
        model: what the converter's `build_model` returned.
        config: dict. The content of `config.json`.
        converter: module, see `converters`.
        tensors: mapping of names to arrays, with an attribute `shapes` if it reads them when they
            are asked for; for example a dict.

    Raises:
        ValueError: if names are missing or unused, a shape does not match, tied weights differ, or
            the converter leaves out a variable of the model.
    """
    weights = list(converter.list_weights(model, config))
    _check_all_variables(model, weights, getattr(converter, "UNSTORED", ()))
    expected = {key for weight in weights for key in weight.keys}
    match = match_keys(tensors, expected, **get_key_rules(converter))
    shapes = getattr(tensors, "shapes", None) or {name: tensors[name].shape for name in tensors}
    for weight in weights:
        _check_shape(weight, [tuple(shapes[match.names[key]]) for key in weight.keys])
    for copy, name in match.copies:
        if not np.array_equal(tensors[copy], tensors[name]):
            raise ValueError(f"{copy!r} and {name!r} must have the same values.")
    for weight in weights:
        array = weight.convert(*(tensors[match.names[key]] for key in weight.keys))
        if array.dtype.name == "bfloat16":
            array = array.astype("float32")  # PyTorch does not accept NumPy's bfloat16.
        if keras.config.backend() != "tensorflow":  # TensorFlow copies the array in this order.
            array = np.asarray(array, order="C")
        weight.variable.assign(array)


def _check_shape(weight, shapes):
    """Checks that tensors of these shapes are converted to the shape of the variable."""
    names, received = " and ".join(map(repr, weight.keys)), " and ".join(map(str, shapes))
    try:
        # A view of one value has any shape without using memory.
        array = weight.convert(*(np.broadcast_to(np.float32(0), shape) for shape in shapes))
    except ValueError as error:
        raise ValueError(f"{names} of shape {received} cannot be converted: {error}.") from None
    shape = tuple(weight.variable.shape)
    converted = tuple(array.shape)
    if converted != shape:
        reason = "" if received == str(converted) else f", because it is converted to {converted}"
        raise ValueError(
            f"{names} of shape {received} does not fit the variable {weight.variable.path!r} of "
            f"shape {shape}{reason}; config.json and the weights disagree."
        )


def _check_all_variables(model, weights, unstored):
    """Checks that a converter assigns every variable, except for unstored ones and random state."""
    assigned = {id(weight.variable) for weight in weights}
    is_unstored = re.compile("|".join((".*seed_generator_state", *unstored))).fullmatch
    missing = [
        variable.path
        for variable in model.variables
        if id(variable) not in assigned and not is_unstored(variable.path)
    ]
    if missing:
        raise ValueError(f"The converter does not load the variables {missing}.")

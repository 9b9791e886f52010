"""Checks of the sample passed to `explain`."""

import numpy as np


def check_modalities(model, inputs, required, optional=(), preprocessor=False):
    """Checks the keys of `inputs`.

    Args:
        model: Keras model.
        inputs: the argument of `explain`.
        required, optional: sequences of strings.
        preprocessor: bool. Whether the model needs a `preprocessor`.

    Raises:
        ValueError: if a key is missing or unknown, or the model has no `preprocessor`.
    """
    name = type(model).__name__
    names = set(inputs) if isinstance(inputs, dict) else set()
    if not set(required) <= names or names - {*required, *optional}:
        expected = " and ".join(map(repr, required))
        expected += f", and optionally {', '.join(map(repr, optional))}" if optional else ""
        raise ValueError(
            f"`inputs` must be a dict of one sample of the {name}, with {expected}. Received: "
            f"{sorted(names) if isinstance(inputs, dict) else type(inputs).__name__}"
        )
    if preprocessor and model.preprocessor is None:
        raise ValueError(
            f"`model` must have a `preprocessor`, which reads the sample. Received: {model!r}"
        )


def check_baselines(baselines, inputs, modalities=None):
    """Checks the baselines that the caller chose.

    Args:
        baselines: the argument of `explain`.
        inputs: dict, modality -> array: the preprocessed inputs whose parts they may replace.
        modalities: sequence of strings: modalities that may also have one, which is not used, as
            they are missing in the sample.

    Returns:
        Dict, modality -> array of the shape and the dtype of the input.

    Raises:
        ValueError: if a modality is unknown, or an array has another shape than the input.
    """
    given = {} if baselines is None else baselines
    names = tuple(inputs) if modalities is None else tuple(modalities)
    if not isinstance(given, dict) or set(given) - set(names):
        expected = f"of arrays for {', '.join(map(repr, names))}" if names else "without arrays"
        raise ValueError(
            f"`baselines` must be a dict {expected}. Received: "
            f"{sorted(given) if isinstance(given, dict) else type(given).__name__}"
        )
    arrays = {}
    for name in (each for each in given if each in inputs):
        shape = np.shape(inputs[name])
        if np.shape(given[name]) != shape:
            raise ValueError(
                f"`baselines[{name!r}]` must have the shape of the preprocessed input, {shape}. "
                f"Received shape: {np.shape(given[name])}"
            )
        arrays[name] = np.asarray(given[name], inputs[name].dtype)
    return arrays

"""Checks of the sample passed to `explain`."""


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

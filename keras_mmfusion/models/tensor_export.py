"""A model of tensors as a SavedModel, for TensorFlow Serving."""

import keras

from keras_mmfusion.models.saved_model_folder import write_saved_model


def export_tensors(model, functions, specs, folder, manifest=None):
    """Writes the next version of a model that takes a dict of tensors.

    Args:
        model: Keras model.
        functions: dict, signature -> function from a dict of tensors to a tensor, which is then
            named `"outputs"`, or a dict of them. The first is `serving_default`.
        specs: dict, name -> `tf.TensorSpec`: what every signature takes.
        folder: string or path.
        manifest: dict or `None`. What else the manifest is to say.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]

    def endpoint(function):
        def of_tensors(*tensors):
            given = dict(zip([spec.name for spec in specs], tensors, strict=True))
            found = function(given)
            return found if isinstance(found, dict) else {"outputs": found}

        return of_tensors, specs

    endpoints = {name: endpoint(function) for name, function in functions.items()}
    return write_saved_model(endpoints, folder, describe(model, manifest))


def describe(model, manifest=None):
    """What the manifest of every exported model says of it, and `manifest`."""
    return {
        **(manifest or {}),
        "model": type(model).__name__,
        "dtype_policy": model.dtype_policy.name,
    }


def specs_of(arrays):
    """Specs of arrays whose first axis is the batch; a mask's second axis has any length too.

    Args:
        arrays: dict, name -> array. `"<name>_mask"` may be the mask of `name`, `(batch, tokens)`.

    Returns:
        Dict, name -> `tf.TensorSpec`.
    """
    import tensorflow as tf

    specs = {}
    for name, x in arrays.items():
        masked = arrays.get(f"{name}_mask", x if name.endswith("_mask") else None)
        free = min(len(x.shape), 1 if masked is None else len(masked.shape))
        shape = (*[None] * free, *x.shape[free:])
        specs[name] = tf.TensorSpec(shape, keras.backend.standardize_dtype(x.dtype), name)
    return specs

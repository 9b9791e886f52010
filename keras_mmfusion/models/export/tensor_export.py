"""A model of tensors as a SavedModel, for TensorFlow Serving."""

from keras_mmfusion.models.export.saved_model_folder import write_saved_model


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

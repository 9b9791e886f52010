"""Export of models of tensors as SavedModels for TensorFlow Serving."""

from keras_mmfusion.models.export.saved_model_folder import write_saved_model


def export_tensors(model, functions, specs, folder, manifest=None):
    """Writes the next version of a model whose inputs are a dict of tensors.

    Args:
        model: Keras model.
        functions: dict, signature -> function of a dict of tensors that returns a dict of tensors,
            or one tensor, which is named `"outputs"`. The first is `serving_default`.
        specs: dict, name -> `tf.TensorSpec`: the inputs of every signature.
        folder: string or path. Versions are written to its subfolders `1`, `2`, ...
        manifest: dict or `None`. Additional entries of the manifest.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]

    def make_endpoint(function):
        def endpoint(*tensors):
            outputs = function(dict(zip([spec.name for spec in specs], tensors, strict=True)))
            return outputs if isinstance(outputs, dict) else {"outputs": outputs}

        return endpoint, specs

    endpoints = {name: make_endpoint(function) for name, function in functions.items()}
    return write_saved_model(endpoints, folder, describe_model(model, manifest))


def describe_model(model, manifest=None):
    """Returns the manifest entries of every exported model, and those of `manifest`."""
    return {
        **(manifest or {}),
        "model": type(model).__name__,
        "dtype_policy": model.dtype_policy.name,
    }

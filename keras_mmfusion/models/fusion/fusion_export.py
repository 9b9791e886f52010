"""Export of fusion models as SavedModels, in which any modality may be missing."""

import functools

from keras_mmfusion.models.export.tensor_export import export_tensors


def export_fusion(model, folder, inputs, manifest=None):
    """Writes the next version of a fusion model. See `FusionModel.export`.

    Args:
        model: `FusionModel`.
        folder, inputs, manifest: see `FusionModel.export`.

    Returns:
        The path of the new version.
    """
    functions = {
        "serving_default": functools.partial(model, training=False),
        "shares": lambda inputs: {"shares": model.compute_shares(inputs)},
    }
    return export_modalities(model, functions, inputs, folder, manifest)


def export_modalities(model, functions, inputs, folder, manifest=None, mask_axes=1):
    """Writes the next version of a model of several modalities.

    SavedModels have no optional inputs: every modality has a mask, `False` where it is missing.

    Args:
        model: `FusionModel` or `ConversationModel`.
        functions: dict, signature -> function of the model's inputs.
        inputs: dict of arrays, a batch of inputs with every modality.
        folder, manifest: see `export_tensors`.
        mask_axes: int. Number of axes of masks that `inputs` does not contain.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    missing = [name for name in model.modalities if inputs.get(name) is None]
    if missing:
        raise ValueError(
            f"`inputs` must have every modality, to set shapes and dtypes. Missing: {missing[0]!r}"
        )
    inputs = {name: tf.convert_to_tensor(x) for name, x in inputs.items() if x is not None}
    specs = {}
    for name in model.modalities:
        mask = inputs.setdefault(f"{name}_mask", tf.ones(inputs[name].shape[:mask_axes], "bool"))
        # Any number of samples, and of tokens that have a mask.
        free = (None,) * len(mask.shape)
        specs[name] = tf.TensorSpec((*free, *inputs[name].shape[len(free) :]), inputs[name].dtype)
        specs[f"{name}_mask"] = tf.TensorSpec(free, "bool")
    model(inputs)  # Builds the model if it was never called.
    return export_tensors(model, functions, specs, folder, manifest)

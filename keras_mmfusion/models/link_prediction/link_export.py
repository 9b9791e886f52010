"""Export of link predictors as SavedModels for TensorFlow Serving."""

import functools

from keras_mmfusion.models.export.tensor_export import export_tensors
from keras_mmfusion.models.node_classification.node_export import list_graph_specs


def export_link_predictor(model, folder, manifest=None):
    """Writes the next version of a link predictor; see `LinkPredictor.export`.

    Args:
        model: `LinkPredictor` that has been built.
        folder: string or path. Versions are written to its subfolders `1`, `2`, ...
        manifest: dict or `None`. Additional entries of `manifest.json`.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    specs = {**list_graph_specs(), "pairs": tf.TensorSpec((2, None), "int32")}
    logits = functools.partial(model, training=False)
    return export_tensors(model, {"serving_default": logits}, specs, folder, manifest)

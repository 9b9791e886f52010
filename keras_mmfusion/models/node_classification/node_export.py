"""Export of node classifiers as SavedModels for TensorFlow Serving."""

import functools

from keras_mmfusion.models.export.tensor_export import export_tensors


def export_node_classifier(model, folder, manifest=None):
    """Writes the next version of a node classifier; see `NodeClassifier.export`.

    Args:
        model: `NodeClassifier` that has been built.
        folder: string or path. Versions are written to its subfolders `1`, `2`, ...
        manifest: dict or `None`. Additional entries of `manifest.json`.

    Returns:
        The path of the new version.
    """
    logits = functools.partial(model, training=False)
    return export_tensors(model, {"serving_default": logits}, list_graph_specs(), folder, manifest)


def list_graph_specs():
    """Returns the specs of the tensors of `make_node_inputs`: a dict, name -> `tf.TensorSpec`."""
    import tensorflow as tf

    return {
        "feature_index": tf.TensorSpec((2, None), "int32"),
        "feature_values": tf.TensorSpec((None,), "float32"),
        "edge_index": tf.TensorSpec((2, None), "int32"),
        "source_scale": tf.TensorSpec((None,), "float32"),
    }

import functools

import keras
from keras import ops

from keras_mmfusion.layers.graph import SparseDense
from keras_mmfusion.models.export.tensor_export import export_tensors
from keras_mmfusion.models.task_model import TaskModel


class NodeClassifier(TaskModel, keras.Model):
    """What the classifiers of nodes share: inputs, and a first kernel for sparse features.

    A classifier of your own implements `build`, which builds its layers, and `call(inputs,
    training)` with `self.project` and `self.graph_with`.

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        dropout: float. Share dropped in training of what enters a layer.
        weight_decay: float. The loss gets `weight_decay / 2 · ‖W‖²` of each regularized kernel,
            which is what papers and PyTorch call weight decay.

    Call arguments:
        inputs: dict of tensors, see `node_classifier_inputs`; with an `edge_weight` `(edges,)` too,
            if edges are to count more or less; and, for many steps, `with_orders`.
        training: bool. Whether dropout is active.

    Output shape:
        Logits `(nodes, num_classes)`.
    """

    def __init__(self, num_features, num_classes, dropout, weight_decay, **kwargs):
        super().__init__(**kwargs)
        self.num_features = num_features
        self.num_classes = num_classes
        self.dropout = dropout
        self.weight_decay = weight_decay

    def first_kernel(self, units, **settings):
        """The layer that features enter."""
        return SparseDense(
            units,
            self.num_features,
            dropout=self.dropout,
            kernel_regularizer=self.regularizer(self.weight_decay),
            name="first_kernel",
            **settings,
        )

    def regularizer(self, weight_decay):
        """The L2 regularizer whose gradient is `weight_decay · W`."""
        return keras.regularizers.L2(weight_decay / 2)

    def project(self, layer, inputs, training):
        """`layer`, from `first_kernel`, of the features."""
        rows = ops.shape(inputs["source_scale"])[0]
        index, values = inputs["feature_index"], inputs["feature_values"]
        order = inputs.get("feature_order")
        return layer(index, values, num_rows=rows, order=order, training=training)

    def graph_with(self, x, inputs):
        """The dict of the graph whose node features are `x`."""
        keys = ("edge_index", "edge_weight", "edge_order", "source_scale")
        edges = {key: inputs[key] for key in keys if key in inputs}
        return {"node_features": x, **edges}

    def build_layer(self, layer, dim, *shapes):
        """Builds a graph layer for node features of this dim, and other tensors' shapes."""
        graph = {"node_features": (None, dim), "edge_index": (2, None), "source_scale": (None,)}
        layer.build(graph, *shapes)

    def _list_features(self, inputs):
        # Features are given by their nonzero entries.
        names = {"feature_values": "node_features", "edge_weight": "edge_weight"}
        keys = names if isinstance(inputs, dict) else ()
        return [(names[key], None, inputs[key], None) for key in keys if key in inputs]

    def export(self, folder, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes the tensors of `node_classifier_inputs`, of a graph of any size, and
        returns `outputs`, the logits.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            manifest: dict or `None`. What else `manifest.json` is to say.

        Returns:
            The path of the new version.
        """
        import tensorflow as tf

        specs = {
            "feature_index": tf.TensorSpec((2, None), "int32"),
            "feature_values": tf.TensorSpec((None,), "float32"),
            "edge_index": tf.TensorSpec((2, None), "int32"),
            "source_scale": tf.TensorSpec((None,), "float32"),
        }
        logits = functools.partial(self, training=False)
        return export_tensors(self, {"serving_default": logits}, specs, folder, manifest)

    def get_config(self):
        return {
            **super().get_config(),
            "num_features": self.num_features,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "weight_decay": self.weight_decay,
        }

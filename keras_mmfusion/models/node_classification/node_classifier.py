import keras
from keras import ops

from keras_mmfusion.layers.graph import SparseDense
from keras_mmfusion.models.node_classification.node_export import export_node_classifier
from keras_mmfusion.models.task_model import TaskModel


class NodeClassifier(TaskModel, keras.Model):
    """Base class of node classifiers, with a first layer for sparse features.

    A subclass implements `build`, which builds its layers, and `call(inputs, training)`, which
    uses `self.project` and `self.make_graph`.

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        dropout: float. Fraction of each layer's input to drop during training.
        weight_decay: float. Adds `weight_decay / 2 · ‖W‖²` to the loss for each regularized
            kernel, which papers and PyTorch call weight decay.

    Call arguments:
        inputs: dict of tensors, see `make_node_inputs`; optionally with an `edge_weight`
            `(edges,)`, and with the orders of `add_orders` for long training.
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

    def make_input_layer(self, units, **settings):
        """Returns the layer that projects the features."""
        return SparseDense(
            units,
            self.num_features,
            dropout=self.dropout,
            kernel_regularizer=self.make_regularizer(self.weight_decay),
            name="first_kernel",
            **settings,
        )

    def make_regularizer(self, weight_decay):
        """Returns the L2 regularizer whose gradient is `weight_decay · W`."""
        return keras.regularizers.L2(weight_decay / 2)

    def project(self, layer, inputs, training):
        """Applies `layer`, from `make_input_layer`, to the features."""
        rows = ops.shape(inputs["source_scale"])[0]
        index, values = inputs["feature_index"], inputs["feature_values"]
        order = inputs.get("feature_order")
        return layer(index, values, num_rows=rows, order=order, training=training)

    def make_graph(self, x, inputs):
        """Returns the graph dict with the node features `x`."""
        keys = ("edge_index", "edge_weight", "edge_order", "source_scale")
        edges = {key: inputs[key] for key in keys if key in inputs}
        return {"node_features": x, **edges}

    def build_layer(self, layer, dim, *shapes):
        """Builds a graph layer for node features of size `dim`, and for other input shapes."""
        graph = {"node_features": (None, dim), "edge_index": (2, None), "source_scale": (None,)}
        layer.build(graph, *shapes)

    def _list_features(self, inputs):
        # Features are given by their nonzero entries.
        names = {"feature_values": "node_features", "edge_weight": "edge_weight"}
        keys = names if isinstance(inputs, dict) else ()
        return [(names[key], None, inputs[key], None) for key in keys if key in inputs]

    def export(self, folder, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes the tensors of `make_node_inputs`, for a graph of any size,
        and returns `outputs`, the logits.

        Args:
            folder: string or path. Versions are written to its subfolders `1`, `2`, ...
            manifest: dict or `None`. Additional entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        return export_node_classifier(self, folder, manifest)

    def get_config(self):
        return {
            **super().get_config(),
            "num_features": self.num_features,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "weight_decay": self.weight_decay,
        }

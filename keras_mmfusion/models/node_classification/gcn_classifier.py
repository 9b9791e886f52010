import keras

from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph import GCNLayer
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GCNClassifier(NodeClassifier):
    """Two graph convolutions: `softmax(Â ReLU(Â X W_1 + b_1) W_2 + b_2)`.

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        hidden_dim: int.
        dropout: float. Dropout before each layer.
        weight_decay: float. Weight decay of the first layer's kernel.

    Call arguments: see `NodeClassifier`.

    Output shape:
        Logits `(nodes, num_classes)`.

    Reference:
        Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", 2017.
    """

    def __init__(
        self, num_features, num_classes, hidden_dim=16, dropout=0.5, weight_decay=5e-4, **kwargs
    ):
        super().__init__(num_features, num_classes, dropout, weight_decay, **kwargs)
        self.hidden_dim = hidden_dim
        self.input_layer = self.make_input_layer(hidden_dim, use_bias=False)
        self.hidden_layer = GCNLayer(activation="relu", name="hidden")
        self.dropout_layer = Dropout(dropout)
        self.output_layer = GCNLayer(num_classes, name="output")

    def build(self, input_shape=None):
        self.input_layer.build()
        self.build_layer(self.hidden_layer, self.hidden_dim)
        self.build_layer(self.output_layer, self.hidden_dim)

    def call(self, inputs, training=None):
        x = self.project(self.input_layer, inputs, training)
        x = self.hidden_layer(self.make_graph(x, inputs))
        x = self.dropout_layer(x, training=training)
        return self.output_layer(self.make_graph(x, inputs))

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}

import keras

from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph import GATLayer
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GATClassifier(NodeClassifier):
    """Two graph attention layers, the first with several concatenated heads.

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        head_dim: int. Size of each head of the first layer.
        num_heads: int. Number of heads of the first layer.
        output_heads: int. Number of heads of the second layer, which are averaged.
        dropout: float. Dropout before each layer, and of the attention weights.
        weight_decay: float. Weight decay of all kernels.

    Call arguments: see `NodeClassifier`.

    Output shape:
        Logits `(nodes, num_classes)`.

    Reference:
        Veličković et al., "Graph Attention Networks", 2018, section 3.3.
    """

    def __init__(
        self,
        num_features,
        num_classes,
        head_dim=8,
        num_heads=8,
        output_heads=1,
        dropout=0.6,
        weight_decay=5e-4,
        **kwargs,
    ):
        super().__init__(num_features, num_classes, dropout, weight_decay, **kwargs)
        self.head_dim = head_dim
        self.num_heads = num_heads
        self.output_heads = output_heads
        settings = {"dropout": dropout, "kernel_regularizer": self.make_regularizer(weight_decay)}
        self.input_layer = self.make_input_layer(head_dim * num_heads, use_bias=False)
        self.hidden_layer = GATLayer(
            head_dim, num_heads, activation="elu", project=False, name="hidden", **settings
        )
        self.dropout_layer = Dropout(dropout)
        self.output_layer = GATLayer(
            num_classes, output_heads, concatenate=False, name="output", **settings
        )

    def build(self, input_shape=None):
        self.input_layer.build()
        self.build_layer(self.hidden_layer, self.head_dim * self.num_heads)
        self.build_layer(self.output_layer, self.head_dim * self.num_heads)

    def call(self, inputs, training=None):
        x = self.project(self.input_layer, inputs, training)
        x = self.hidden_layer(self.make_graph(x, inputs), training=training)
        x = self.dropout_layer(x, training=training)
        return self.output_layer(self.make_graph(x, inputs), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_heads": self.num_heads,
            "output_heads": self.output_heads,
        }

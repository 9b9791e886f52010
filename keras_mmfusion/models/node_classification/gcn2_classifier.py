import math

import keras

from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph import GCN2Layer
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GCN2Classifier(NodeClassifier):
    """GCNII: a deep graph convolutional network with initial residuals.

    ```
    H⁰ = ReLU(X W + b),  Hˡ⁺¹ = GCN2Layer(Hˡ, H⁰) with β_l = log(λ / l + 1)
    ```

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        hidden_dim: int.
        num_layers: int. Number of convolutions.
        alpha: float. Weight of the initial features in each layer.
        theta: float. The λ of the formula.
        dropout: float. Dropout before each layer.
        weight_decay: float. Weight decay of the first and the last kernel.
        convolution_decay: float. Weight decay of the convolutions' kernels.

    Call arguments: see `NodeClassifier`.

    Output shape:
        Logits `(nodes, num_classes)`.

    Reference:
        Chen et al., "Simple and Deep Graph Convolutional Networks", 2020, section 3.
    """

    def __init__(
        self,
        num_features,
        num_classes,
        hidden_dim=64,
        num_layers=16,
        alpha=0.1,
        theta=0.5,
        dropout=0.6,
        weight_decay=5e-4,
        convolution_decay=0.01,
        **kwargs,
    ):
        super().__init__(num_features, num_classes, dropout, weight_decay, **kwargs)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.alpha = alpha
        self.theta = theta
        self.convolution_decay = convolution_decay
        self.input_layer = self.make_input_layer(hidden_dim, activation="relu")
        self.dropout_layer = Dropout(dropout)
        self.convolutions = [
            GCN2Layer(
                alpha,
                math.log(theta / (i + 1) + 1),
                activation="relu",
                kernel_regularizer=self.make_regularizer(convolution_decay),
                name=f"convolution_{i}",
            )
            for i in range(num_layers)
        ]
        self.output_layer = keras.layers.Dense(
            num_classes, kernel_regularizer=self.make_regularizer(weight_decay), name="output"
        )

    def build(self, input_shape=None):
        self.input_layer.build()
        for convolution in self.convolutions:
            self.build_layer(convolution, self.hidden_dim, (None, self.hidden_dim))
        self.output_layer.build((None, self.hidden_dim))

    def call(self, inputs, training=None):
        x = initial = self.project(self.input_layer, inputs, training)
        for convolution in self.convolutions:
            x = self.dropout_layer(x, training=training)
            x = convolution(self.make_graph(x, inputs), initial)
        return self.output_layer(self.dropout_layer(x, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "alpha": self.alpha,
            "theta": self.theta,
            "convolution_decay": self.convolution_decay,
        }

import keras

from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph import EdgeDropout, GCN2Layer
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class APPNPClassifier(NodeClassifier):
    """APPNP: an MLP on each node's features, then steps of personalized PageRank.

    ```
    H = ReLU(X W_1) W_2
    Z⁰ = H,  Zᵏ⁺¹ = (1 - α) Â Zᵏ + α H
    ```

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        hidden_dim: int.
        alpha: float. Restart probability of the random walk.
        num_steps: int. Number of propagation steps.
        dropout: float. Dropout before each kernel, and of the edges in each step.
        weight_decay: float. Weight decay of the first layer's kernel.

    Call arguments: see `NodeClassifier`.

    Output shape:
        Logits `(nodes, num_classes)`.

    Reference:
        Klicpera et al., "Predict then Propagate", 2019, equation 4.
    """

    def __init__(
        self,
        num_features,
        num_classes,
        hidden_dim=64,
        alpha=0.1,
        num_steps=10,
        dropout=0.5,
        weight_decay=5e-3,
        **kwargs,
    ):
        super().__init__(num_features, num_classes, dropout, weight_decay, **kwargs)
        self.hidden_dim = hidden_dim
        self.alpha = alpha
        self.num_steps = num_steps
        self.input_layer = self.make_input_layer(hidden_dim, activation="relu", use_bias=False)
        self.dropout_layer = Dropout(dropout)
        self.output_layer = keras.layers.Dense(num_classes, use_bias=False, name="output")
        self.edge_dropout = EdgeDropout(dropout)
        self.step = GCN2Layer(alpha, beta=0.0, name="step")

    def build(self, input_shape=None):
        self.input_layer.build()
        self.output_layer.build((None, self.hidden_dim))

    def call(self, inputs, training=None):
        x = self.project(self.input_layer, inputs, training)
        x = initial = self.output_layer(self.dropout_layer(x, training=training))
        for _ in range(self.num_steps):
            graph = self.make_graph(x, inputs)
            if training:
                graph = self.edge_dropout(graph, training=True)
            x = self.step(graph, initial)
        return x

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "alpha": self.alpha,
            "num_steps": self.num_steps,
        }

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph import GraphFusion, RGCNLayer
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier

MODALITIES = ("structure", "attributes")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphFusionClassifier(NodeClassifier):
    """Fuses the structure of a graph with the attributes of its nodes (`GraphFusion`).

    ```
    s_i = E_i                                   a learned vector of node i
    a_i = dropout(x_i) W                        its attributes
    s, a = RGCNLayer_l(s, a)                    messages along the edges, in each modality
    z_i = V [s_i; a_i] + c                      `GraphFusion`
    ```

    Each modality has a graph convolution of its own, whose kernels for a node and for its neighbors
    differ, so that neighbors need not be similar. The vectors `E` belong to the nodes of one graph:
    the model does not apply to other graphs.

    Args:
        num_features: int. Dim of the node features.
        num_classes: int.
        num_nodes: int.
        hidden_dim: int.
        num_layers: int. Number of graph convolutions.
        combine: string. The rule of `GraphFusion`.
        dropout: float. Dropout of the features, of the nodes, and before the last layer.
        weight_decay: float. Weight decay of `W` and of `E`.

    Call arguments: see `NodeClassifier`.

    Output shape:
        Logits `(nodes, num_classes)`.

    Reference:
        The graph of each modality: Wei et al., "MMGCN: Multi-modal Graph Convolution Network for
        Personalized Recommendation of Micro-video", 2019; the convolution: Schlichtkrull et al.,
        "Modeling Relational Data with Graph Convolutional Networks", 2018.
    """

    def __init__(
        self,
        num_features,
        num_classes,
        num_nodes,
        hidden_dim=64,
        num_layers=1,
        combine="concat",
        dropout=0.5,
        weight_decay=5e-4,
        **kwargs,
    ):
        super().__init__(num_features, num_classes, dropout, weight_decay, **kwargs)
        self.num_nodes = check_integer(self, "num_nodes", num_nodes)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.combine = combine
        self.input_layer = self.make_input_layer(hidden_dim, use_bias=False)
        self.fusion = GraphFusion(
            MODALITIES,
            [
                RGCNLayer(hidden_dim, activation="relu", name=f"layer_{i}")
                for i in range(num_layers)
            ],
            combine=combine,
            dim=hidden_dim,
            dropout=dropout,
            name="fusion",
        )
        self.dropout_layer = Dropout(dropout)
        self.output_layer = keras.layers.Dense(num_classes, name="output")

    def build(self, input_shape=None):
        self.node_embedding = self.add_weight(
            shape=(self.num_nodes, self.hidden_dim),
            initializer=keras.initializers.RandomNormal(0.1),
            regularizer=self.make_regularizer(self.weight_decay),
            name="node_embedding",
        )
        self.input_layer.build()
        relations = [f"{each}/linked/{each}" for each in MODALITIES]
        self.fusion.build(
            {
                "node_features": dict.fromkeys(MODALITIES, (None, self.hidden_dim)),
                "edge_index": dict.fromkeys(relations, (2, None)),
            }
        )
        self.output_layer.build((None, self.hidden_dim))

    def call(self, inputs, training=None):
        attributes = self.project(self.input_layer, inputs, training)
        structure = ops.cast(self.node_embedding, attributes.dtype)
        edges = {
            key: {f"{each}/linked/{each}": inputs[key] for each in MODALITIES}
            for key in ("edge_index", "edge_weight")
            if key in inputs
        }
        nodes = {"node_features": {"structure": structure, "attributes": attributes}}
        x = ops.relu(self.fusion({**nodes, **edges}, training=training))
        return self.output_layer(self.dropout_layer(x, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "num_nodes": self.num_nodes,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "combine": self.combine,
        }

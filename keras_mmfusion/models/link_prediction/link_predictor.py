import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.graph.core.segment_ops import gather
from keras_mmfusion.models.link_prediction.link_export import export_link_predictor
from keras_mmfusion.models.node_classification import NodeClassifier
from keras_mmfusion.models.task_model import TaskModel


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LinkPredictor(TaskModel, keras.Model):
    """Predicts whether two nodes of a graph are linked, from embeddings of all nodes.

    ```
    z = encoder(graph)
    logit_uv = z_u · z_v                                without `decoder_dim`
    logit_uv = w · ReLU(W (z_u ∘ z_v) + b) + c          with `decoder_dim`
    ```

    Both are symmetric in `u` and `v`.

    Args:
        encoder: `NodeClassifier`, whose outputs are the embeddings: its `num_classes` is their
            dim. A `GCNClassifier` or `GATClassifier` uses the attributes of a node and its
            neighbors; a `GraphFusionClassifier` fuses them with a learned vector of each node.
        decoder_dim: int or `None`. Hidden units of the decoder; `None` for the dot product.

    Call arguments:
        inputs: dict of tensors: those of `make_link_inputs`, and `pairs`, int `(2, pairs)`, the
            nodes of each pair to score.
        training: bool. Whether dropout is active.

    Output shape:
        Logits `(pairs,)`.

    Raises:
        ValueError: if `encoder` is not a `NodeClassifier`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import AttributedGraph
    >>> from keras_mmfusion.models.link_prediction import LinkPredictor, make_link_inputs
    >>> from keras_mmfusion.models.node_classification import GCNClassifier
    >>> ring = np.arange(6)
    >>> graph = AttributedGraph(
    ...     ring.astype(str), np.stack([ring, (ring + 1) % 6]), np.stack([ring, ring]), np.ones(6),
    ...     num_attributes=6)
    >>> model = LinkPredictor(GCNClassifier(6, num_classes=4))
    >>> logits = model({**make_link_inputs(graph), "pairs": np.array([[0, 1, 2], [3, 2, 5]])})
    >>> tuple(logits.shape)
    (3,)

    Reference:
        Kipf and Welling, "Variational Graph Auto-Encoders", 2016, section 1.
    """

    def __init__(self, encoder, decoder_dim=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(encoder, NodeClassifier):
            raise ValueError(
                "LinkPredictor: `encoder` must be a `NodeClassifier`, such as a `GCNClassifier`. "
                f"Received: {encoder!r}"
            )
        self.encoder = encoder
        self.decoder_dim = decoder_dim
        if decoder_dim is not None:
            check_integer(self, "decoder_dim", decoder_dim)
            self.hidden_layer = keras.layers.Dense(decoder_dim, activation="relu", name="hidden")
            self.output_layer = keras.layers.Dense(1, name="output")

    def build(self, input_shape=None):
        if not self.encoder.built:
            self.encoder.build()
            self.encoder.built = True
        if self.decoder_dim is not None:
            self.hidden_layer.build((None, self.encoder.num_classes))
            self.output_layer.build((None, self.decoder_dim))

    def call(self, inputs, training=None):
        graph = {key: value for key, value in inputs.items() if key != "pairs"}
        return self.decode(self.encoder(graph, training=training), inputs["pairs"])

    def decode(self, embeddings, pairs):
        """Computes the logits of pairs from the embeddings of all nodes.

        Args:
            embeddings: float tensor `(nodes, dim)`, the output of the encoder.
            pairs: int tensor `(2, pairs)`.

        Returns:
            Logits `(pairs,)`.
        """
        pairs = ops.convert_to_tensor(pairs)
        product = gather(embeddings, pairs[0]) * gather(embeddings, pairs[1])
        if self.decoder_dim is None:
            return ops.sum(product, axis=-1)
        return ops.squeeze(self.output_layer(self.hidden_layer(product)), -1)

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor((inputs["pairs"].shape[1],), dtype=self.compute_dtype)

    def export(self, folder, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes the tensors of `make_link_inputs` and `pairs`, and returns
        `outputs`, the logits.

        Args:
            folder: string or path. Versions are written to its subfolders `1`, `2`, ...
            manifest: dict or `None`. Additional entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        return export_link_predictor(self, folder, manifest)

    def _list_features(self, inputs):
        return self.encoder._list_features(inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder_dim": self.decoder_dim,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})

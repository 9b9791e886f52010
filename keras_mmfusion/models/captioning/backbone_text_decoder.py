import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BackboneTextDecoder(keras.layers.Layer):
    """Uses a KerasHub language model backbone as the text decoder of `ImageCaptioningModel`.

    ```
    x = TokenEmbedding(ids)                                # decoder.embedding(ids)
    logits = Rest(x) TokenEmbeddingᵀ                       # decoder(x)
    ```

    `Rest` is the backbone without its token embedding: position embeddings, causal blocks and the
    final normalization.

    Args:
        backbone: a causal KerasHub backbone, such as `keras_hub.models.GPT2Backbone`: a functional
            model of `token_ids` and `padding_mask` with one output and a reversible
            `token_embedding`.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`, the output of `decoder.embedding(ids)`.

    Output shape:
        Logits, float `(batch, tokens, vocabulary_size)`.

    Raises:
        ValueError: if the backbone is not supported.

    Example:

    >>> import keras_hub
    >>> import numpy as np
    >>> from keras_mmfusion.models import BackboneTextDecoder
    >>> backbone = keras_hub.models.GPT2Backbone(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16,
    ...     max_sequence_length=12)
    >>> decoder = BackboneTextDecoder(backbone)
    >>> tuple(decoder(decoder.embedding(np.array([[1, 5, 7]]))).shape)
    (1, 3, 50)
    """

    def __init__(self, backbone, **kwargs):
        kwargs.setdefault("dtype", getattr(backbone, "dtype_policy", None))
        super().__init__(**kwargs)
        inputs = getattr(backbone, "input", None)
        embedding = getattr(backbone, "token_embedding", None)
        if (
            not isinstance(embedding, keras.layers.ReversibleEmbedding)
            or not isinstance(inputs, dict)
            or inputs.keys() != {"token_ids", "padding_mask"}
            or not isinstance(backbone.output, keras.KerasTensor)
        ):
            raise ValueError(
                "`backbone` must be a functional KerasHub backbone of `token_ids` and "
                "`padding_mask` with one output and a reversible `token_embedding`, such as "
                f"`keras_hub.models.GPT2Backbone`. Received: {backbone!r}"
            )
        self.backbone = backbone
        self.embedding = embedding
        self.rest = keras.Model([embedding.output, inputs["padding_mask"]], backbone.output)

    def build(self, x_shape):
        """Does nothing: the backbone is built already."""

    def call(self, x, training=None):
        # Padding is at the end, where earlier tokens do not attend to it.
        mask = ops.ones(ops.shape(x)[:2], dtype="int32")
        return self.embedding(self.rest([x, mask], training=training), reverse=True)

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
        }

    @classmethod
    def from_config(cls, config):
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})

import keras

from keras_mmfusion._checks import check_divisor
from keras_mmfusion.layers.cast_input import cast_mask
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.models.bert.bert_block import BertBlock
from keras_mmfusion.models.bert.bert_embedding import BertEmbedding


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BertTextEncoder(keras.layers.Layer):
    """BERT as an encoder that may attend to an image, such as the text encoder of BLIP.

    ```
    x = LayerNorm(TokenEmbedding(ids) + PositionEmbedding)
    x = Block_n(... Block_1(x, image_tokens))                       # BertBlock
    ```

    Args:
        vocabulary_size: int. Number of token ids.
        dim: int. Size of the tokens.
        num_layers: int. Number of blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of each block's MLP. Defaults to `4 * dim`.
        sequence_length: int. Maximum number of tokens of a text.
        dropout: float. Dropout rate of the embeddings and of every residual branch.
        image_dim: int. Size of the image tokens.

    Call arguments:
        ids: int tensor `(batch, tokens)`.
        image_tokens: float tensor `(batch, image_tokens, image_dim)` or `None`, which skips the
            attention to the image.
        padding_mask: bool tensor `(batch, tokens)`. Outputs of masked tokens are undefined.

    Output shape:
        `(batch, tokens, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import BertTextEncoder
    >>> encoder = BertTextEncoder(100, dim=32, num_layers=2, num_heads=4, image_dim=8)
    >>> tuple(encoder(np.array([[1, 5, 7]]), np.ones((1, 4, 8))).shape)
    (1, 3, 32)

    Reference:
        Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
        Understanding and Generation", 2022, section 3.1: the text encoders.
    """

    def __init__(
        self,
        vocabulary_size=30_524,
        dim=768,
        num_layers=12,
        num_heads=12,
        mlp_dim=None,
        sequence_length=512,
        dropout=0.0,
        image_dim=768,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_divisor(self, "num_heads", num_heads, "dim", dim)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim or 4 * dim
        self.sequence_length = sequence_length
        self.dropout = dropout
        self.image_dim = image_dim
        self.embedding = BertEmbedding(
            vocabulary_size=vocabulary_size,
            sequence_length=sequence_length,
            embedding_dim=dim,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.embedding_dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.blocks = [
            BertBlock(
                num_heads,
                self.mlp_dim,
                dropout,
                cross_attention=True,
                causal=False,
                dtype=self.dtype_policy,
                name=f"block_{i}",
            )
            for i in range(num_layers)
        ]

    def build(self, ids_shape, image_tokens_shape=None):
        self.embedding.build((None, None))
        for block in self.blocks:
            block.build((None, None, None, self.dim), (None, None, self.image_dim))

    def call(self, ids, image_tokens=None, padding_mask=None, training=None):
        padding_mask = cast_mask(padding_mask)
        if padding_mask is not None:
            padding_mask = keras.ops.expand_dims(padding_mask, 1)
        x = self.embedding_dropout(self.embedding(ids), training=training)
        x = keras.ops.expand_dims(x, 1)  # One text per image.
        for block in self.blocks:
            x = block(x, image_tokens, padding_mask=padding_mask, training=training)
        return keras.ops.squeeze(x, 1)

    def compute_output_shape(self, ids_shape, image_tokens_shape=None):
        return (*ids_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "sequence_length": self.sequence_length,
            "dropout": self.dropout,
            "image_dim": self.image_dim,
        }

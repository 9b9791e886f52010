import math

import keras
from keras import ops

from keras_mmfusion._checks import check_divisor, check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.models.bert.bert_embedding import BertEmbedding
from keras_mmfusion.models.captioning.git_block import GitBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GitTextDecoder(keras.layers.Layer):
    """The decoder of GIT: a Transformer over the tokens of an image followed by its text.

    ```
    x = LayerNorm(TokenEmbedding(ids) + PositionEmbedding)     # decoder.embedding(ids)
    p = LayerNorm(Dense(image_tokens))
    x, p = Block_n(... Block_1(x, p))                          # GitBlock
    logits = Dense(x)                                          # decoder(x, image_tokens)
    ```

    Args:
        vocabulary_size: int. Number of token ids.
        dim: int. Size of the tokens.
        num_layers: int. Number of blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of each block's MLP. Defaults to `4 * dim`.
        sequence_length: int. Maximum text length in tokens.
        dropout: float. Dropout rate of the embeddings and of every residual branch.
        activation: string. Activation of the MLPs; see `keras_mmfusion.layers.activations`.
        epsilon: float. Added to the variance in the normalizations of texts and blocks.
        projection_epsilon: float. Added to the variance in that of the projected image tokens.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`, the output of `decoder.embedding(ids)`; or
            `(batch, captions, tokens, dim)`, where the captions of a row share its image.
        image_tokens: float tensor `(batch, image_tokens, image_dim)`.
        return_attention_scores: bool. Whether to also return every block's attention to the image.
        training: bool. Whether dropout is active.

    Output shape:
        Logits with the shape of `x`, except for the last axis of size `vocabulary_size`. With
        `return_attention_scores`, a tuple of logits and scores
        `(num_layers, batch, num_heads, captions * tokens, image_tokens)`, float32. A text token
        also attends to the text, so its scores sum to less than 1.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import GitTextDecoder
    >>> decoder = GitTextDecoder(vocabulary_size=100, dim=32, num_layers=2, num_heads=4)
    >>> image_tokens = np.zeros((1, 5, 16), "float32")
    >>> tuple(decoder(decoder.embedding(np.array([[1, 5, 7]])), image_tokens).shape)
    (1, 3, 100)

    Reference:
        Wang et al., "GIT: A Generative Image-to-text Transformer for Vision and Language", 2022,
        section 3.1.
    """

    def __init__(
        self,
        vocabulary_size=30_522,
        dim=768,
        num_layers=6,
        num_heads=12,
        mlp_dim=None,
        sequence_length=1024,
        dropout=0.1,
        activation="gelu",
        epsilon=1e-12,
        projection_epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_divisor(self, "num_heads", num_heads, "dim", dim)
        self.vocabulary_size = check_integer(self, "vocabulary_size", vocabulary_size)
        self.dim = dim
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim or 4 * dim
        self.sequence_length = sequence_length
        self.dropout = dropout
        self.activation = activation
        self.epsilon = epsilon
        self.projection_epsilon = projection_epsilon
        self.embedding = BertEmbedding(
            vocabulary_size=vocabulary_size,
            sequence_length=sequence_length,
            embedding_dim=dim,
            epsilon=epsilon,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.embedding_dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.projection = Dense(dim, dtype=self.dtype_policy, name="projection")
        self.projection_norm = keras.layers.LayerNormalization(
            epsilon=projection_epsilon, dtype=self.dtype_policy, name="projection_norm"
        )
        self.blocks = [
            GitBlock(
                num_heads,
                self.mlp_dim,
                dropout,
                activation,
                epsilon,
                dtype=self.dtype_policy,
                name=f"block_{i}",
            )
            for i in range(num_layers)
        ]
        self.output_dense = Dense(vocabulary_size, dtype=self.dtype_policy, name="output")

    def build(self, x_shape, image_tokens_shape):
        if not self.embedding.built:
            self.embedding.build((None, None))
        self.projection.build(image_tokens_shape)
        self.projection_norm.build((None, None, self.dim))
        for block in self.blocks:
            block.build((None, None, None, self.dim))
        self.output_dense.build((None, None, self.dim))

    def call(self, x, image_tokens, return_attention_scores=False, training=None):
        one_caption = len(x.shape) == 3
        if one_caption:
            x = ops.expand_dims(x, 1)
        x = self.embedding_dropout(cast_input(self, x), training=training)
        image_tokens = self._project(image_tokens)
        scores = []
        for block in self.blocks:
            x, image_tokens, *block_scores = block(
                x,
                image_tokens,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            scores += block_scores
        logits = self.output_dense(x)
        if one_caption:
            logits = ops.squeeze(logits, 1)
        return (logits, ops.stack(scores)) if return_attention_scores else logits

    def _project(self, image_tokens):
        return self.projection_norm(apply_to_rows(self.projection, cast_input(self, image_tokens)))

    def empty_cache(self, batch_size, length, hypotheses):
        """Returns an empty cache for `step`; see `TextDecoder.empty_cache`."""
        shape = (batch_size, self.num_heads, length, hypotheses, self.dim // self.num_heads)
        return [
            tuple(ops.zeros(shape, dtype=self.compute_dtype) for _ in range(2)) for _ in self.blocks
        ]

    def project_context(self, image_tokens):
        """Computes the keys and values of the image tokens in every block, for `step`."""
        tokens, context = self._project(image_tokens), []
        for block in self.blocks:
            context.append(block.attention.project_key_value(tokens))
            if block is not self.blocks[-1]:
                tokens = block.encode_image(tokens, context[-1])
        return context

    def step(self, x, cache, slot_mask, write_mask, context):
        """Computes the logits of each hypothesis's next token; see `TextDecoder.step`."""
        new_cache = []
        for block, block_cache, image_rows in zip(self.blocks, cache, context, strict=True):
            x, block_cache = block.step(x, block_cache, image_rows, slot_mask, write_mask)
            new_cache.append(block_cache)
        return apply_to_rows(self.output_dense, x), new_cache

    def compute_output_spec(self, x, image_tokens, return_attention_scores=False, training=None):
        logits = keras.KerasTensor((*x.shape[:-1], self.vocabulary_size), self.compute_dtype)
        if not return_attention_scores:
            return logits
        rows = x.shape[1:-1]
        queries = None if None in rows else math.prod(rows)
        shape = (self.num_layers, x.shape[0], self.num_heads, queries, image_tokens.shape[1])
        return logits, keras.KerasTensor(shape, dtype="float32")

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
            "activation": self.activation,
            "epsilon": self.epsilon,
            "projection_epsilon": self.projection_epsilon,
        }

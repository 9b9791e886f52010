import math

import keras
import keras_hub
from keras import ops

from keras_mmfusion._checks import check_divisor
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.models.captioning.text_decoder_block import TextDecoderBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TextDecoder(keras.layers.Layer):
    """A causal pre-norm Transformer decoder with tied embeddings.

    ```
    x = TokenEmbedding(ids) + PositionEmbedding            # decoder.embedding(ids)
    x = Block_n(... Block_1(x))                            # TextDecoderBlock
    logits = LayerNorm(x) TokenEmbeddingᵀ                  # decoder(x)
    ```

    Args:
        vocabulary_size: int. Number of token ids.
        dim: int. Size of the tokens.
        num_layers: int. Number of blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of each block's MLP. Defaults to `4 * dim`.
        sequence_length: int. Maximum caption length in tokens.
        dropout: float. Dropout rate of the embeddings and of every residual branch.
        cross_attention: bool. Whether every block also attends to the encoder's tokens, which
            are then passed to the call (see `TransformerCaptioner`).
        activation: string. Activation of the MLPs: `"gelu"` (exact), `"gelu_tanh"`, `"quick_gelu"`
            or `"relu"`.
        epsilon: float. Added to the variance in the layer normalizations.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`, the output of `decoder.embedding(ids)`; or
            `(batch, captions, tokens, dim)`, where the captions of a row share its encoder tokens.
        encoder_tokens: float tensor `(batch, encoder_tokens, encoder_dim)`; required with
            `cross_attention=True`.
        encoder_mask: bool tensor `(batch, encoder_tokens)`.
        padding_mask: bool tensor with the shape of `x` without its last axis. Not needed for
            padding at the end, which earlier tokens do not attend to.
        return_attention_scores: bool. Whether to also return the cross-attention scores of every
            block.

    Output shape:
        Logits with the shape of `x`, except for the last axis of size `vocabulary_size`; float32
        in mixed precision. With `return_attention_scores`, a tuple of logits and scores
        `(num_layers, batch, num_heads, captions * tokens, encoder_tokens)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import TextDecoder
    >>> decoder = TextDecoder(vocabulary_size=100, dim=32, num_layers=2, num_heads=4)
    >>> tuple(decoder(decoder.embedding(np.array([[1, 5, 7]]))).shape)
    (1, 3, 100)

    Reference:
        Vaswani et al., 2017; tied embeddings: Press and Wolf, "Using the Output Embedding to
        Improve Language Models", 2017.
    """

    embedding_cls = keras_hub.layers.TokenAndPositionEmbedding
    block_cls = TextDecoderBlock

    def __init__(
        self,
        vocabulary_size=10_000,
        dim=384,
        num_layers=3,
        num_heads=6,
        mlp_dim=None,
        sequence_length=32,
        dropout=0.1,
        cross_attention=False,
        activation="gelu",
        epsilon=1e-5,
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
        self.cross_attention = cross_attention
        self.activation = activation
        self.epsilon = epsilon
        self.embedding = self._make_embedding()
        self.embedding_dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.blocks = [
            self.block_cls(
                num_heads,
                self.mlp_dim,
                dropout,
                cross_attention,
                activation,
                epsilon,
                dtype=self.dtype_policy,
                name=f"block_{i}",
            )
            for i in range(num_layers)
        ]
        self.final_norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=self.dtype_policy, name="final_norm"
        )

    def _make_embedding(self, **settings):
        return self.embedding_cls(
            vocabulary_size=self.vocabulary_size,
            sequence_length=self.sequence_length,
            embedding_dim=self.dim,
            tie_weights=True,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="embedding",
            **settings,
        )

    def _check_encoder_tokens(self, encoder_tokens):
        if self.cross_attention and encoder_tokens is None:
            raise ValueError(
                "A `TextDecoder` with `cross_attention=True` must be called with `encoder_tokens`, "
                "as `TransformerCaptioner` does."
            )

    def build(self, x_shape, encoder_tokens_shape=None):
        self._check_encoder_tokens(encoder_tokens_shape)
        if not self.embedding.built:
            self.embedding.build((None, None))
        for block in self.blocks:
            block.build((None, None, None, self.dim), encoder_tokens_shape)
        self.final_norm.build((None, None, self.dim))

    def call(
        self,
        x,
        encoder_tokens=None,
        encoder_mask=None,
        padding_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        self._check_encoder_tokens(encoder_tokens)
        one_caption = len(x.shape) == 3
        if one_caption:
            x = ops.expand_dims(x, 1)
        x = self.embedding_dropout(cast_input(self, x), training=training)
        scores = []
        for block in self.blocks:
            x = block(
                x,
                encoder_tokens=encoder_tokens,
                encoder_mask=encoder_mask,
                padding_mask=padding_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, block_scores = x
                scores.append(block_scores)
        logits = self.logits(x)
        if one_caption:
            logits = ops.squeeze(logits, 1)
        return (logits, ops.stack(scores)) if return_attention_scores else logits

    def logits(self, x):
        """Computes vocabulary logits from the output of the last block."""
        return self.embedding.token_embedding(self.final_norm(x), reverse=True)

    def empty_cache(self, batch_size, length, hypotheses):
        """Returns an empty cache for `step`: keys and values of `length` tokens for each block."""
        shape = (batch_size, self.num_heads, length, hypotheses, self.dim // self.num_heads)
        return [
            tuple(ops.zeros(shape, dtype=self.compute_dtype) for _ in range(2)) for _ in self.blocks
        ]

    def project_context(self, encoder_tokens):
        """Computes the cross-attention keys and values of every block, for `step`."""
        if not self.cross_attention:
            return [None] * self.num_layers
        return [block.project_context(encoder_tokens) for block in self.blocks]

    def step(self, x, cache, slot_mask, write_mask, context, context_mask=None):
        """Computes the logits of each hypothesis's next token with cached keys and values.

        Args:
            x: float tensor `(batch, hypotheses, dim)`: embeddings of the last tokens.
            cache: the result of `empty_cache` or of the previous step.
            slot_mask, write_mask: see `TextDecoderBlock.step`.
            context: the result of `project_context`.
            context_mask: bool tensor `(batch, encoder_tokens)` or `None`.

        Returns:
            Logits `(batch, hypotheses, vocabulary_size)` and the new cache.
        """
        new_cache = []
        for block, block_cache, block_context in zip(self.blocks, cache, context, strict=True):
            x, block_cache = block.step(
                x, block_cache, block_context, slot_mask, write_mask, context_mask
            )
            new_cache.append(block_cache)
        return apply_to_rows(self.logits, x), new_cache

    def compute_output_shape(self, x_shape, encoder_tokens_shape=None):
        return (*x_shape[:-1], self.vocabulary_size)

    def compute_output_spec(self, x, encoder_tokens=None, return_attention_scores=False, **kwargs):
        shape = self.compute_output_shape(x.shape)
        # The tied embeddings are not autocast, so the logits have their dtype.
        dtype = keras.backend.result_type(self.compute_dtype, self.variable_dtype)
        logits = keras.KerasTensor(shape, dtype=dtype)
        if not return_attention_scores:
            return logits
        rows = x.shape[1:-1]
        queries = None if None in rows else math.prod(rows)
        shape = (x.shape[0], self.num_heads, queries, encoder_tokens.shape[1])
        return logits, keras.KerasTensor((self.num_layers, *shape), dtype="float32")

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
            "cross_attention": self.cross_attention,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }

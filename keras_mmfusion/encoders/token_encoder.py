import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_divisor, check_fraction, check_integer
from keras_mmfusion.encoders.standardization import Standardization
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.masks import broadcast_mask, zero_masked
from keras_mmfusion.layers.sinusoidal_positions import add_positions
from keras_mmfusion.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TokenEncoder(keras.layers.Layer):
    """Transformer encoder of a sequence of token ids or vectors.

    ```
    x = embedding[ids],  or  ((tokens - μ) / σ) W + b
    x = x + position
    x = x + SelfAttention(LayerNorm(x));  x = x + MLP(LayerNorm(x))     num_layers times
    y = LayerNorm(x)
    ```

    Position embeddings are sinusoidal, so a sequence may have any length. `adapt` computes `μ`
    and `σ`, which are initially 0 and 1.

    Args:
        dim: int. The size of the output tokens.
        num_layers: int. Number of Transformer blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int or `None`. Hidden units of a block's MLP; `None` for `4 * dim`.
        vocabulary_size: int or `None`. The number of token ids, with id 0 for padding; `None` if
            the inputs are vectors.
        causal: bool. Whether a token attends only to itself and earlier tokens.
        dropout: float in [0, 1). Dropout rate of the embedded tokens and of each branch of a
            block.

    Call arguments:
        inputs: int tensor `(batch, tokens)`, or float tensor `(batch, tokens, features)`.
        mask: bool tensor `(batch, tokens)`, or `(batch,)` if a sample has all of its tokens or
            none. Masked tokens, NaN included, do not affect the output.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, tokens, dim)`, zeros where the mask is `False`.

    Raises:
        ValueError: if a size is not a positive integer, or `num_heads` does not divide `dim`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import TokenEncoder
    >>> words = TokenEncoder(dim=32, vocabulary_size=1000)
    >>> tuple(words(np.array([[5, 17, 3, 0, 0]])).shape)
    (1, 5, 32)
    >>> utterances = TokenEncoder(dim=32, causal=True)
    >>> tuple(utterances(np.ones((2, 20, 100))).shape)
    (2, 20, 32)

    Reference:
        Vaswani et al., "Attention Is All You Need", 2017, sections 3.1 and 3.5.
    """

    def __init__(
        self,
        dim,
        num_layers=1,
        num_heads=4,
        mlp_dim=None,
        vocabulary_size=None,
        causal=False,
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.mlp_dim = check_integer(self, "mlp_dim", 4 * dim if mlp_dim is None else mlp_dim)
        self.vocabulary_size = vocabulary_size
        self.causal = bool(causal)
        self.dropout = check_fraction(self, "dropout", dropout)
        check_divisor(self, "num_heads", num_heads, "dim", dim)
        policy = self.dtype_policy
        if vocabulary_size is None:
            self.standardization = Standardization(dtype=policy, name="standardization")
            self.projection = keras.layers.Dense(dim, dtype=policy, name="projection")
        else:
            self.embedding = keras.layers.Embedding(
                check_integer(self, "vocabulary_size", vocabulary_size),
                dim,
                dtype=policy,
                name="embedding",
            )
        self.dropout_layer = Dropout(dropout, dtype=policy, name="dropout")
        self.blocks = [
            TransformerBlock(num_heads, self.mlp_dim, dropout, dtype=policy, name=f"block_{index}")
            for index in range(num_layers)
        ]
        self.output_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=policy, name="output_norm"
        )
        self.supports_masking = True

    def adapt(self, data, mask=None):
        """Computes mean and standard deviation of the features; see `Standardization.adapt`.

        Has no effect on an encoder of token ids.
        """
        if self.vocabulary_size is None:
            if mask is not None and np.ndim(mask) == 1:
                mask = np.broadcast_to(np.asarray(mask)[:, None], np.shape(data)[:2])
            self.standardization.adapt(data, mask)

    def build(self, inputs_shape):
        layout = "tokens (batch, tokens, features)"
        if self.vocabulary_size is not None:
            layout = "ids (batch, tokens)"
        if len(inputs_shape) != layout.count(",") + 1 or (
            self.vocabulary_size is None and inputs_shape[-1] is None
        ):
            raise ValueError(
                f"TokenEncoder: `inputs` must be {layout} if vocabulary_size="
                f"{self.vocabulary_size}. Received shape: {tuple(inputs_shape)}"
            )
        if self.vocabulary_size is not None:
            self.embedding.build(inputs_shape)
        else:
            if not self.standardization.built:
                self.standardization.build(inputs_shape)
            self.projection.build((None, inputs_shape[-1]))
        for block in self.blocks:
            block.build((None, None, self.dim))
        self.output_norm.build((None, None, self.dim))

    def call(self, inputs, mask=None, training=None):
        mask = self.compute_mask(inputs, mask)
        x = add_positions(self._embed(inputs, mask))
        x = self.dropout_layer(x, training=training)
        for block in self.blocks:
            x = block(x, mask=mask, use_causal_mask=self.causal, training=training)
        return zero_masked(self.output_norm(x), mask)

    def _embed(self, inputs, mask):
        if self.vocabulary_size is not None:
            return self.embedding(inputs)
        inputs = self.standardization(zero_masked(inputs, mask))
        return apply_to_rows(self.projection, inputs)

    def compute_mask(self, inputs, mask=None):
        """Combines `mask` with the padding of token ids.

        Returns:
            Bool tensor `(batch, tokens)`, `True` for a real token, or `None` if no token is
            masked.
        """
        padding_mask = None if self.vocabulary_size is None else ops.not_equal(inputs, 0)
        if mask is None:
            return padding_mask
        mask = broadcast_mask(mask, inputs)
        return mask if padding_mask is None else ops.logical_and(mask, padding_mask)

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:2], self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "vocabulary_size": self.vocabulary_size,
            "causal": self.causal,
            "dropout": self.dropout,
        }

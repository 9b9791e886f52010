import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_divisor, check_fraction, check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.masks import broadcast_mask, fill_masked, zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SharedSpaceProjector(keras.layers.Layer):
    """Projects the tokens of one modality to a vector in a space shared with others.

    With `x̂_t` the normalized tokens, `h` heads, and softmax over the unmasked tokens:

    ```
    a_th = softmax_t(x̂_t u_h)
    y = [Σ_t a_t1 x̂_t V_1; ...; Σ_t a_th x̂_t V_h] + c
    output = y + W_2 gelu(W_1 norm(y))
    ```

    Each head pools the tokens with its own weights. `u` is initialized to zeros, so that the heads
    start with the mean of the tokens. A vector is not pooled. A sample without tokens gives the
    same output as zeros, and masked tokens, NaN included, do not affect the output.

    Args:
        output_dim: int. The size of the shared space.
        num_heads: int. Number of pooling heads; must divide `output_dim`.
        hidden_dim: int or `None`. Hidden units of the MLP; `None` for `2 * output_dim`.
        dropout: float in [0, 1). Dropout rate of the pooled tokens and of the MLP's hidden units.

    Call arguments:
        inputs: float tensor `(batch, tokens, dim)` or `(batch, dim)`. A layer built for tokens
            treats a vector as one token; a layer built for vectors does not accept tokens.
        mask: bool tensor `(batch, tokens)` or `(batch,)`, `True` for a real token.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, output_dim)`. The output is not normalized; losses that compare directions
        normalize it.

    Raises:
        ValueError: if a size is not a positive integer, `num_heads` does not divide `output_dim`,
            or the inputs are neither tokens nor vectors.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import SharedSpaceProjector
    >>> image, text = np.ones((2, 81, 1280)), np.ones((2, 7, 384))
    >>> projectors = [SharedSpaceProjector(output_dim=256) for _ in range(2)]
    >>> [tuple(p(x).shape) for p, x in zip(projectors, (image, text))]
    [(2, 256), (2, 256)]

    Reference:
        Pooling by learned queries: Lin et al., "A Structured Self-attentive Sentence Embedding",
        2017, equations 6 and 7.
    """

    def __init__(self, output_dim, num_heads=8, hidden_dim=None, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        output_dim = check_integer(self, "output_dim", output_dim)
        num_heads = check_integer(self, "num_heads", num_heads)
        hidden_dim = 2 * output_dim if hidden_dim is None else hidden_dim
        hidden_dim = check_integer(self, "hidden_dim", hidden_dim)
        check_divisor(self, "num_heads", num_heads, "output_dim", output_dim)
        self.output_dim = output_dim
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.dropout = check_fraction(self, "dropout", dropout)
        policy = self.dtype_policy
        self.token_norm = keras.layers.LayerNormalization(dtype=policy, name="token_norm")
        self.output_norm = keras.layers.LayerNormalization(dtype=policy, name="output_norm")
        self.score_dense = Dense(
            num_heads, use_bias=False, kernel_initializer="zeros", dtype=policy, name="score"
        )
        self.hidden_dense = Dense(hidden_dim, activation="gelu", dtype=policy, name="hidden")
        self.output_dense = Dense(output_dim, dtype=policy, name="output")
        self.dropout_layer = Dropout(dropout, dtype=policy, name="dropout")
        self.supports_masking = True

    def build(self, inputs_shape):
        dim = inputs_shape[-1]
        if len(inputs_shape) not in (2, 3) or dim is None:
            raise ValueError(
                "SharedSpaceProjector: `inputs` must be tokens (batch, tokens, dim) or vectors "
                f"(batch, dim). Received shape: {tuple(inputs_shape)}. Flatten a feature map first."
            )
        self.token_norm.build((None, None, dim))
        self.attends = len(inputs_shape) == 3
        if self.attends:
            self.score_dense.build((None, None, dim))
        self.kernel = self.add_weight(
            (self.num_heads, dim, self.output_dim // self.num_heads),
            # Glorot initialization of one matrix of all heads.
            keras.initializers.RandomNormal(stddev=(2 / (dim + self.output_dim)) ** 0.5),
            name="kernel",
        )
        self.bias = self.add_weight((self.output_dim,), "zeros", name="bias")
        self.output_norm.build((None, self.output_dim))
        self.hidden_dense.build((None, self.output_dim))
        self.output_dense.build((None, self.hidden_dim))

    def call(self, inputs, mask=None, training=None):
        inputs, mask = self._match_built_rank(inputs, mask)
        x = self.token_norm(zero_masked(cast_input(self, inputs), mask))
        pooled = self._pool(x, mask) if self.attends else ops.expand_dims(zero_masked(x, mask), 1)
        pooled = self.dropout_layer(pooled, training=training)
        # (heads or 1, batch, dim) @ (heads, dim, output_dim / heads)
        parts = ops.matmul(ops.transpose(pooled, (1, 0, 2)), self.kernel)
        joined = ops.reshape(ops.transpose(parts, (1, 0, 2)), (-1, self.output_dim)) + self.bias
        hidden = self.hidden_dense(self.output_norm(joined))
        return joined + self.output_dense(self.dropout_layer(hidden, training=training))

    def _match_built_rank(self, inputs, mask):
        """Expands a vector and its mask to one token if the layer was built for tokens."""
        if self.attends and len(inputs.shape) == 2:
            inputs = ops.expand_dims(inputs, 1)
        elif not self.attends and len(inputs.shape) == 3:
            raise ValueError(
                "SharedSpaceProjector: the layer was built for vectors (batch, dim) and cannot "
                f"pool tokens. Received shape: {tuple(inputs.shape)}. Build it with tokens."
            )
        if self.attends and mask is not None:
            mask = broadcast_mask(mask, inputs)
        return inputs, mask

    def _pool(self, tokens, mask):
        """Pools the tokens by each head: `(batch, heads, dim)`."""
        scores = ops.cast(self.score_dense(tokens), "float32")
        if mask is not None:
            scores = fill_masked(scores, mask, float(np.finfo("float32").min))
        single = scores.shape[1] == 1  # ops.softmax warns on an axis of size 1.
        weights = ops.ones_like(scores) if single else ops.softmax(scores, axis=1)
        weights = ops.cast(zero_masked(weights, mask), self.compute_dtype)
        return ops.matmul(ops.transpose(weights, (0, 2, 1)), tokens)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[0], self.output_dim

    def get_config(self):
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
        }

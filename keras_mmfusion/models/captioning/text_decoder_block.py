import keras
from keras import ops

from keras_mmfusion.layers.activations import get_activation
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TextDecoderBlock(keras.layers.Layer):
    """One block of a causal pre-norm Transformer decoder.

    ```
    x = x + SelfAttention(LayerNorm(x))
    x = x + CrossModalAttention(LayerNorm(x), encoder_tokens)     # with cross_attention=True
    x = x + MLP(LayerNorm(x))                                     # Dense, GELU, Dense
    ```

    Args:
        num_heads: int. Number of attention heads; must divide the token dim.
        mlp_dim: int. Hidden units of the MLP.
        dropout: float. Dropout rate of each residual branch.
        cross_attention: bool. Whether the block attends to `encoder_tokens`.
        activation: string. Activation of the MLP: `"gelu"` (exact), `"gelu_tanh"`, `"quick_gelu"`
            or `"relu"`.
        epsilon: float. Added to the variance in the layer normalizations.

    Call arguments:
        x: float tensor `(batch, captions, tokens, dim)`; the captions of a row share its
            `encoder_tokens`.
        encoder_tokens: float tensor `(batch, encoder_tokens, encoder_dim)`; required with
            `cross_attention=True`.
        encoder_mask: bool tensor `(batch, encoder_tokens)`.
        padding_mask: bool tensor `(batch, captions, tokens)`. Masked tokens are set to zero.

    Output shape:
        That of `x`; with `return_attention_scores=True`, a tuple with the cross-attention scores
        `(batch, num_heads, captions * tokens, encoder_tokens)`.

    Reference:
        Vaswani et al., 2017, section 3.1; pre-norm: Xiong et al., "On Layer Normalization in the
        Transformer Architecture", 2020, figure 1b.
    """

    causal = True  # Whether a token attends only to itself and earlier tokens.

    def __init__(
        self,
        num_heads,
        mlp_dim,
        dropout=0.1,
        cross_attention=False,
        activation="gelu",
        epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.dropout = dropout
        self.cross_attention = cross_attention
        self.activation = activation
        self.activation_function = get_activation(activation, self)
        self.epsilon = epsilon
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, x_shape, encoder_tokens_shape=None):
        if self.cross_attention and encoder_tokens_shape is None:
            raise ValueError(
                "A `TextDecoderBlock` with `cross_attention=True` must be called with "
                "`encoder_tokens`."
            )
        dim = x_shape[-1]
        tokens_shape = (None, None, dim)
        self.self_norm, self.self_attention = self._attention("self", tokens_shape, tokens_shape)
        if self.cross_attention:
            self.cross_norm, self.cross_attention_layer = self._attention(
                "cross", tokens_shape, (None, None, encoder_tokens_shape[-1])
            )
        self.mlp_norm = self._norm("mlp_norm", tokens_shape)
        self.mlp_hidden = Dense(
            self.mlp_dim,
            activation=self.activation_function,
            dtype=self.dtype_policy,
            name="mlp_hidden",
        )
        self.mlp_output = Dense(dim, dtype=self.dtype_policy, name="mlp_output")
        self.mlp_hidden.build(tokens_shape)
        self.mlp_output.build((None, None, self.mlp_dim))

    def _norm(self, name, shape):
        norm = keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name=name
        )
        norm.build(shape)
        return norm

    def _attention(self, name, query_shape, value_shape):
        dim = query_shape[-1]
        attention = CrossModalAttention(
            num_heads=self.num_heads,
            head_dim=dim // self.num_heads,
            dtype=self.dtype_policy,
            name=f"{name}_attention",
        )
        attention.build(query_shape, value_shape)
        return self._norm(f"{name}_norm", query_shape), attention

    def project_context(self, encoder_tokens):
        """Computes keys and values of the encoder's tokens; `None` without cross-attention."""
        if not self.cross_attention:
            return None
        return self.cross_attention_layer.project_key_value(encoder_tokens)

    def call(
        self,
        x,
        encoder_tokens=None,
        encoder_mask=None,
        padding_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        x = cast_input(self, x)
        captions, tokens, dim = ops.shape(x)[1:]
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
            x = ops.where(ops.expand_dims(padding_mask, -1), x, 0.0)
            padding_mask = ops.reshape(padding_mask, (-1, tokens))
        scores = None

        def attend_to_captions(x):
            x = ops.reshape(x, (-1, tokens, dim))
            attended = self.self_attention(
                x, x, value_mask=padding_mask, use_causal_mask=self.causal, training=training
            )
            attended = ops.reshape(attended, (-1, captions, tokens, dim))
            return self.dropout_layer(attended, training=training)

        def attend_to_encoder(x):
            nonlocal scores
            attended = self.cross_attention_layer(
                ops.reshape(x, (-1, captions * tokens, dim)),
                encoder_tokens,
                value_mask=encoder_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                attended, scores = attended
            attended = ops.reshape(attended, (-1, captions, tokens, dim))
            return self.dropout_layer(attended, training=training)

        x = self._add_branch(x, self.self_norm, attend_to_captions)
        if self.cross_attention and encoder_tokens is not None:
            x = self._add_branch(x, self.cross_norm, attend_to_encoder)
        x = self._add_branch(x, self.mlp_norm, lambda x: self._mlp(x, training))
        return (x, scores) if return_attention_scores else x

    def _add_branch(self, x, norm, branch):
        """Computes a residual branch with normalized inputs."""
        return x + branch(norm(x))

    def step(self, x, cache, context, slot_mask, write_mask, context_mask=None):
        """Processes the last token of every hypothesis, with cached keys and values.

        Args:
            x: float tensor `(batch, hypotheses, dim)`, the last token of each hypothesis.
            cache: two tensors `(batch, heads, length, hypotheses, head_dim)`, the keys and values
                computed so far. Entry `(time, slot)` belongs to all hypotheses that descend from
                it.
            context: keys and values of the encoder's tokens, from `project_context`; `None`
                without cross-attention.
            slot_mask: bool tensor `(batch, hypotheses, length * hypotheses)`: the cache entries
                that each hypothesis descends from, including the new one.
            write_mask: bool tensor `(1, 1, length, 1, 1)`, True at the position to write.
            context_mask: bool tensor `(batch, encoder_tokens)` or `None`.

        Returns:
            A tuple: `x` after the block, and the updated cache.
        """

        def attend_to_captions(x):
            nonlocal cache
            new_rows = self.self_attention.project_key_value(x)
            cache = tuple(
                ops.where(write_mask, ops.expand_dims(new, 2), old)
                for new, old in zip(new_rows, cache, strict=True)
            )
            heads, length, hypotheses, head_dim = cache[0].shape[1:]
            rows = [ops.reshape(c, (-1, heads, length * hypotheses, head_dim)) for c in cache]
            return self.self_attention.attend_cached(x, rows, attention_mask=slot_mask)

        def attend_to_encoder(x):
            mask = None if context_mask is None else ops.expand_dims(context_mask, 1)
            return self.cross_attention_layer.attend_cached(x, context, attention_mask=mask)

        x = self._add_branch(x, self.self_norm, attend_to_captions)
        if self.cross_attention:
            x = self._add_branch(x, self.cross_norm, attend_to_encoder)
        return self._add_branch(x, self.mlp_norm, lambda x: apply_to_rows(self._mlp, x)), cache

    def _mlp(self, x, training=None):
        hidden = self.mlp_output(self.mlp_hidden(x))
        return self.dropout_layer(hidden, training=training)

    def compute_output_shape(self, x_shape, encoder_tokens_shape=None):
        return x_shape

    def compute_output_spec(self, x, encoder_tokens=None, return_attention_scores=False, **kwargs):
        output = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        captions, tokens = x.shape[1:3]
        queries = None if None in (captions, tokens) else captions * tokens
        shape = (x.shape[0], self.num_heads, queries, encoder_tokens.shape[1])
        return output, keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "dropout": self.dropout,
            "cross_attention": self.cross_attention,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }

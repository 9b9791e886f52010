import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer, check_positive
from keras_mmfusion.layers.activations import get_activation
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TransformerBlock(keras.layers.Layer):
    """Pre-norm Transformer block with self-attention, or cross-attention to a context.

    ```
    x = x + Attention(LayerNorm(x), c)     c = LayerNorm(context), or LayerNorm(x) without one
    x = x + MLP(LayerNorm(x))              Dense, activation, Dense
    ```

    With `gated=True` the two sums are `x + tanh(α) Attention(...)` and `x + tanh(β) MLP(...)`
    with scalars `α` and `β` that are initialized to zero, so that the block is initially the
    identity. With a `layer_scale` they are `x + λ Attention(...)` and `x + μ MLP(...)` with vectors
    `λ` and `μ`. The attention adds zeros to a token whose context is fully masked.

    Args:
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLP; `None` for a block without an MLP.
        dropout: float in [0, 1). Dropout rate of each branch.
        gated: bool. Whether the branches have gates.
        activation: string. The activation of the MLP: `"gelu"` (exact), `"gelu_tanh"`,
            `"quick_gelu"` or `"relu"`.
        epsilon: float. Added to the variance in the normalizations.
        layer_scale: float or `None`. The initial values of `λ` and `μ`; `None` for a block without
            them.

    Call arguments:
        x: float tensor `(batch, tokens, dim)`.
        context: float tensor `(batch, context_tokens, context_dim)` or `None`. A block built with
            a context needs one in every call.
        mask: bool tensor `(batch, tokens)`, for self-attention. Masked tokens are not attended
            to, and their outputs are undefined.
        context_mask: bool tensor `(batch, context_tokens)`.
        attention_mask: bool tensor `(batch or 1, tokens, context_tokens or tokens)`: the tokens
            that each token may attend to.
        use_causal_mask: bool. Whether a token attends only to itself and earlier tokens.
        training: bool. Whether dropout is active.
        attention_bias: float tensor `(batch or 1, num_heads or 1, tokens, tokens)`, added to the
            attention scores, such as a `RelativePositionBias`.

    Output shape:
        Same as `x`.

    Raises:
        ValueError: if `num_heads` does not divide the dim, or a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import TransformerBlock
    >>> block = TransformerBlock(num_heads=2, mlp_dim=16)
    >>> tuple(block(np.ones((1, 5, 8)), np.ones((1, 3, 6))).shape)
    (1, 5, 8)

    Reference:
        Vaswani et al., 2017, section 3.1; pre-norm: Xiong et al., "On Layer Normalization in the
        Transformer Architecture", 2020, figure 1b; gates: Alayrac et al., "Flamingo", 2022,
        figure 4; scales: Touvron et al., "Going deeper with Image Transformers", 2021, equation 4.
    """

    def __init__(
        self,
        num_heads,
        mlp_dim=None,
        dropout=0.0,
        gated=False,
        activation="gelu",
        epsilon=1e-5,
        layer_scale=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.mlp_dim = None if mlp_dim is None else check_integer(self, "mlp_dim", mlp_dim)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.gated = bool(gated)
        self.activation = activation
        self.activation_function = get_activation(activation, self)
        self.epsilon = check_positive(self, "epsilon", epsilon)
        self.layer_scale = layer_scale
        self.supports_masking = True
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, x_shape, context_shape=None):
        dim = x_shape[-1]
        if dim % self.num_heads:
            raise ValueError(
                f"TransformerBlock: `num_heads` must divide the dim of the tokens. Received: "
                f"num_heads={self.num_heads}, dim {dim}"
            )
        self.attention_norm = self._norm("attention_norm", dim)
        self.context_norm = None
        if context_shape is not None:
            self.context_norm = self._norm("context_norm", context_shape[-1])
        self.attention = CrossModalAttention(
            self.num_heads, dim // self.num_heads, dtype=self.dtype_policy, name="attention"
        )
        self.attention.build(x_shape, x_shape if context_shape is None else context_shape)
        if self.gated:
            self.attention_gate = self.add_weight((), "zeros", name="attention_gate")
        self.attention_scale = self._add_scale("attention_scale", dim)
        if self.mlp_dim is None:
            return
        self.mlp_norm = self._norm("mlp_norm", dim)
        self.mlp_hidden = self._dense(
            "mlp_hidden", dim, self.mlp_dim, activation=self.activation_function
        )
        self.mlp_output = self._dense("mlp_output", self.mlp_dim, dim)
        if self.gated:
            self.mlp_gate = self.add_weight((), "zeros", name="mlp_gate")
        self.mlp_scale = self._add_scale("mlp_scale", dim)

    def _add_scale(self, name, dim):
        if self.layer_scale is None:
            return None
        constant = keras.initializers.Constant(self.layer_scale)
        return self.add_weight((dim,), constant, name=name)

    def _norm(self, name, dim):
        norm = keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name=name
        )
        norm.build((None, None, dim))
        return norm

    def _dense(self, name, dim, units, **settings):
        dense = Dense(units, dtype=self.dtype_policy, name=name, **settings)
        dense.build((None, dim))
        return dense

    def call(
        self,
        x,
        context=None,
        mask=None,
        context_mask=None,
        use_causal_mask=False,
        training=None,
        attention_bias=None,
        attention_mask=None,
    ):
        if (context is None) != (self.context_norm is None):
            raise ValueError(
                "TransformerBlock: pass `context` in every call if the block was built with one, "
                "otherwise in none."
            )
        x, context = cast_input(self, x), cast_input(self, context)
        query = self.attention_norm(x)
        keys = query if context is None else self.context_norm(context)
        attended = self._attend(
            query,
            keys,
            value_mask=mask if context is None else context_mask,
            use_causal_mask=use_causal_mask,
            training=training,
            attention_bias=attention_bias,
            attention_mask=attention_mask,
        )
        x = x + self._branch(attended, "attention", training)
        if self.mlp_dim is None:
            return x
        return x + self._branch(apply_to_rows(self._mlp, self.mlp_norm(x)), "mlp", training)

    def _attend(self, query, keys, **arguments):
        return self.attention(query, keys, **arguments)

    def _branch(self, update, name, training):
        if self.dropout:
            update = self.dropout_layer(update, training=training)
        if self.layer_scale is not None:
            update = ops.cast(getattr(self, f"{name}_scale"), update.dtype) * update
        if not self.gated:
            return update
        return ops.cast(ops.tanh(getattr(self, f"{name}_gate")), update.dtype) * update

    def _mlp(self, rows):
        return self.mlp_output(self.mlp_hidden(rows))

    def compute_mask(self, x, mask=None):
        return None

    def compute_output_shape(self, x_shape, context_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "dropout": self.dropout,
            "gated": self.gated,
            "activation": self.activation,
            "epsilon": self.epsilon,
            "layer_scale": self.layer_scale,
        }

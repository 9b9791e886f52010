import keras
from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.layers.activations import get_activation
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class AttentionPooling(keras.layers.Layer):
    """Pools tokens by the attention of a learned query, as the image encoder of SigLIP.

    ```
    y = Attention(u, x)
    output = y + MLP(LayerNorm(y))     Dense, activation, Dense
    ```

    Args:
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int. Hidden units of the MLP.
        activation: string. The activation of the MLP, see `TransformerBlock`.
        epsilon: float. Added to the variance in the normalization.

    Call arguments:
        inputs: float tensor `(batch, tokens, dim)`.
        mask: bool tensor `(batch, tokens)`, `True` for a real token.
        training: bool. Passed on to the attention.

    Output shape:
        `(batch, dim)`, not normalized.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import AttentionPooling
    >>> tuple(AttentionPooling(num_heads=2, mlp_dim=16)(np.ones((3, 5, 8))).shape)
    (3, 8)

    Reference:
        Multihead attention pooling: Zhai et al., "Scaling Vision Transformers", 2022, section 2.1.
    """

    def __init__(self, num_heads, mlp_dim, activation="gelu", epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.mlp_dim = check_integer(self, "mlp_dim", mlp_dim)
        self.activation = activation
        self.activation_function = get_activation(activation, self)
        self.epsilon = check_positive(self, "epsilon", epsilon)
        self.supports_masking = True

    def build(self, inputs_shape):
        dim, policy = inputs_shape[-1], self.dtype_policy
        if dim % self.num_heads:
            raise ValueError(
                f"AttentionPooling: `num_heads` must divide the dim of the tokens. Received: "
                f"num_heads={self.num_heads}, dim {dim}"
            )
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.query = self.add_weight((dim,), normal, name="query")
        self.attention = CrossModalAttention(
            self.num_heads, dim // self.num_heads, dtype=policy, name="attention"
        )
        self.attention.build((None, 1, dim), inputs_shape)
        self.mlp_norm = keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=policy, name="mlp_norm"
        )
        self.mlp_norm.build((None, dim))
        self.mlp_hidden = Dense(
            self.mlp_dim, activation=self.activation_function, dtype=policy, name="mlp_hidden"
        )
        self.mlp_hidden.build((None, dim))
        self.mlp_output = Dense(dim, dtype=policy, name="mlp_output")
        self.mlp_output.build((None, self.mlp_dim))

    def call(self, inputs, mask=None, training=None):
        tokens = cast_input(self, inputs)
        query = ops.cast(self.query, tokens.dtype)[None, None]
        query = ops.broadcast_to(query, (ops.shape(tokens)[0], 1, tokens.shape[-1]))
        pooled = self.attention(query, tokens, value_mask=mask, training=training)[:, 0]
        return pooled + self.mlp_output(self.mlp_hidden(self.mlp_norm(pooled)))

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[0], inputs_shape[-1]

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }

import keras
import keras_hub

from keras_mmfusion._checks import check_divisor, check_integer
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TextEncoder(keras_hub.models.Backbone):
    """BERT text encoder, from token ids to one vector per token.

    ```
    x = norm(E[token_ids] + P)
    for each layer:  x = norm(x + attention(x));  x = norm(x + W_2 gelu(W_1 x))
    ```

    A text is one segment, so BERT's segment embedding is part of the position embeddings `P`.
    GELU is exact. The default sizes are those of MiniLM-L6, whose pretrained weights
    `zoo/convert_minilm.py` converts; its sentence embeddings are the mean of the tokens.

    Args:
        vocabulary_size: int. Number of token ids.
        num_layers: int. Number of Transformer layers.
        num_heads: int. Number of attention heads; must divide `hidden_dim`.
        hidden_dim: int. The size of a token.
        intermediate_dim: int. Hidden units of the MLPs.
        dropout: float in [0, 1). Dropout rate.
        max_sequence_length: int. The maximum number of tokens.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Call arguments:
        inputs: dict of `"token_ids"`, int tensor `(batch, tokens)`, and `"padding_mask"`, bool or
            int tensor `(batch, tokens)`, true for a real token.

    Returns:
        Tokens `(batch, tokens, hidden_dim)` in the policy's compute dtype. Masked tokens are
        undefined and do not affect the others.

    Attributes:
        token_dim: int, the size of a token.

    Example:

    >>> import numpy as np
    >>> encoder = TextEncoder(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> ids = np.array([[2, 7, 9, 3], [2, 8, 3, 0]])
    >>> encoder({"token_ids": ids, "padding_mask": ids > 0}).shape == (2, 4, 8)
    True

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding", 2019; Wang et al., "MiniLM: Deep Self-Attention Distillation", 2020.
    """

    def __init__(
        self,
        vocabulary_size=30522,
        num_layers=6,
        num_heads=12,
        hidden_dim=384,
        intermediate_dim=1536,
        dropout=0.1,
        max_sequence_length=512,
        dtype=None,
        **kwargs,
    ):
        sizes = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "max_sequence_length": max_sequence_length,
        }
        sizes = {name: check_integer(self, name, size) for name, size in sizes.items()}
        check_divisor(self, "num_heads", num_heads, "hidden_dim", hidden_dim)
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        x = keras_hub.layers.TokenAndPositionEmbedding(
            vocabulary_size, max_sequence_length, hidden_dim, dtype=dtype, name="embedding"
        )(token_ids)
        norm = keras.layers.LayerNormalization(epsilon=1e-12, dtype=dtype, name="embedding_norm")
        x = Dropout(dropout, dtype=dtype, name="embedding_dropout")(norm(x))
        for index in range(num_layers):
            x = keras_hub.layers.TransformerEncoder(
                intermediate_dim,
                num_heads,
                dropout=dropout,
                activation="gelu",
                layer_norm_epsilon=1e-12,
                kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                dtype=dtype,
                name=f"layer_{index}",
            )(x, padding_mask=padding_mask)
        inputs = {"token_ids": token_ids, "padding_mask": padding_mask}
        super().__init__(inputs=inputs, outputs=x, dtype=dtype, **kwargs)
        self.sizes = sizes
        self.dropout = dropout
        self.token_dim = hidden_dim
        # Call the setter: the constructor's `trainable` does not reach the layers, and Keras
        # skips an assignment that does not change the value.
        keras_hub.models.Backbone.trainable.fset(self, self.trainable)

    def get_config(self):
        return {**super().get_config(), **self.sizes, "dropout": self.dropout}

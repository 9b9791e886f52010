import keras
import keras_hub


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BertEmbedding(keras_hub.layers.TokenAndPositionEmbedding):
    """The embeddings of BERT without token types: `LayerNorm(token + position)`.

    Args:
        vocabulary_size: int. Number of token ids.
        sequence_length: int. Number of positions.
        embedding_dim: int. Size of the tokens.
        epsilon: float. Epsilon of the normalization.
        **kwargs: passed to `keras_hub.layers.TokenAndPositionEmbedding`.

    Call arguments:
        inputs: int tensor `(..., tokens)`.
        start_index: int or scalar tensor. Position of the first token.

    Output shape:
        `(..., tokens, embedding_dim)`.
    """

    def __init__(self, vocabulary_size, sequence_length, embedding_dim, epsilon=1e-12, **kwargs):
        super().__init__(vocabulary_size, sequence_length, embedding_dim, **kwargs)
        self.norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.epsilon = epsilon

    def build(self, input_shape):
        super().build(input_shape)
        self.norm.build((*input_shape, self.embedding_dim))

    def call(self, inputs, start_index=0, positions=None):
        return self.norm(super().call(inputs, start_index=start_index, positions=positions))

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}

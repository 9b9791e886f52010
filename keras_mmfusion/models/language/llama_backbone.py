"""Llama's decoder, whose configuration is saved completely."""

import keras
import keras_hub

from keras_mmfusion.models.steps_by_rank import StepsByRank


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LlamaBackbone(StepsByRank, keras_hub.models.LlamaBackbone):
    """Computes the hidden states of a Llama, such as SmolLM2.

    It is KerasHub's backbone. The configuration of KerasHub's class lacks `tie_word_embeddings`, so
    that a saved model with tied embeddings would be loaded with others.

    Args:
        vocabulary_size: int.
        num_layers: int.
        num_query_heads: int. The number of attention heads of the queries.
        hidden_dim: int. The size of the hidden states.
        intermediate_dim: int. The size of the hidden layer of the MLPs.
        num_key_value_heads: int. The number of attention heads of the keys and values.
        tie_word_embeddings: bool. Whether the logits are computed with the token embeddings.
        **kwargs: further arguments of `keras_hub.models.LlamaBackbone`, such as `dtype`,
            `layer_norm_epsilon`, and `rope_max_wavelength`.

    Call arguments:
        inputs: dict of `"token_ids"`, int `(batch, tokens)`, and `"padding_mask"`, 1 for valid
            tokens, `(batch, tokens)`.

    Returns:
        Hidden states `(batch, tokens, hidden_dim)`.

    Example:

    >>> import numpy as np
    >>> backbone = LlamaBackbone(20, 1, 2, 8, 12, 1, tie_word_embeddings=True)
    >>> ids = np.ones((1, 3), "int32")
    >>> tuple(backbone({"token_ids": ids, "padding_mask": ids}).shape)
    (1, 3, 8)
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers,
        num_query_heads,
        hidden_dim,
        intermediate_dim,
        num_key_value_heads,
        tie_word_embeddings=False,
        **kwargs,
    ):
        super().__init__(
            vocabulary_size,
            num_layers,
            num_query_heads,
            hidden_dim,
            intermediate_dim,
            num_key_value_heads,
            tie_word_embeddings=tie_word_embeddings,
            **kwargs,
        )

    def get_config(self):
        return {**super().get_config(), "tie_word_embeddings": self.tie_word_embeddings}

import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.models.bert.bert_block import BertBlock
from keras_mmfusion.models.bert.bert_embedding import BertEmbedding
from keras_mmfusion.models.captioning.text_decoder import TextDecoder


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BertTextDecoder(TextDecoder):
    """BERT or RoBERTa as a causal decoder with tied embeddings, such as the decoder of BLIP.

    ```
    x = LayerNorm(TokenEmbedding(ids) + PositionEmbedding)         # decoder.embedding(ids)
    x = Block_n(... Block_1(x))                                    # BertBlock
    logits = LayerNorm(GELU(Dense(x))) TokenEmbeddingᵀ + bias      # decoder(x)
    ```

    Args:
        vocabulary_size: int. Number of token ids.
        dim: int. Size of the tokens.
        num_layers: int. Number of blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of each block's MLP. Defaults to `4 * dim`.
        sequence_length: int. Maximum caption length in tokens.
        dropout: float. Dropout rate of the embeddings and of every residual branch.
        cross_attention: bool. Whether every block also attends to the encoder's tokens.
        epsilon: float. Added to the variance in the normalizations.

    Call arguments and output shape: see `TextDecoder`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import BertTextDecoder
    >>> decoder = BertTextDecoder(vocabulary_size=100, dim=32, num_layers=2, num_heads=4)
    >>> tuple(decoder(decoder.embedding(np.array([[1, 5, 7]]))).shape)
    (1, 3, 100)

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding", 2019; as a decoder: Li et al., "BLIP: Bootstrapping Language-Image
        Pre-training for Unified Vision-Language Understanding and Generation", 2022, section 3.1.
    """

    embedding_cls = BertEmbedding
    block_cls = BertBlock

    def __init__(
        self,
        vocabulary_size=30_524,
        dim=768,
        num_layers=12,
        num_heads=12,
        mlp_dim=None,
        sequence_length=512,
        dropout=0.0,
        cross_attention=False,
        epsilon=1e-12,
        **kwargs,
    ):
        super().__init__(
            vocabulary_size,
            dim,
            num_layers,
            num_heads,
            mlp_dim,
            sequence_length,
            dropout,
            cross_attention,
            epsilon=epsilon,
            **kwargs,
        )
        self.head_dense = Dense(dim, activation="gelu", dtype=self.dtype_policy, name="head_dense")

    def _make_embedding(self):
        return super()._make_embedding(epsilon=self.epsilon)

    def build(self, x_shape, encoder_tokens_shape=None):
        super().build(x_shape, encoder_tokens_shape)
        self.head_dense.build((None, None, self.dim))
        self.head_bias = self.add_weight((self.vocabulary_size,), "zeros", name="head_bias")

    def logits(self, x):
        logits = super().logits(self.head_dense(x))
        return logits + ops.cast(self.head_bias, logits.dtype)

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in config if name != "activation"}

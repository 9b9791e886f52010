import keras
from keras import ops

from keras_mmfusion.layers.alignment.alignment import Alignment
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class AttentionAlignment(Alignment):
    """Aligns one modality's tokens to another's by cross-modal attention.

    ```
    aligned = concat_h(A_h value W_v,h) W_o,   A_h = softmax(query W_q,h (value W_k,h)ᵀ / √d)
    plan = mean_h A_h
    ```

    The rows of the plan sum to one; some values may receive no weight.

    Args:
        num_heads: int. Number of heads.
        head_dim: int. Size `d` of each head.
        output_dim: int. Size of the aligned tokens. Defaults to the last dim of `value`.
        dropout: float in [0, 1). Dropout rate of the attention weights.

    Call arguments, output shape and errors: see `Alignment`; the aligned tokens have size
    `output_dim`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import AttentionAlignment
    >>> text, image = np.random.rand(2, 5, 32), np.random.rand(2, 49, 1280)
    >>> aligned, plan = AttentionAlignment(num_heads=4, head_dim=8)(text, image)
    >>> tuple(aligned.shape), tuple(plan.shape)
    ((2, 5, 1280), (2, 5, 49))

    Reference:
        Vaswani et al., "Attention Is All You Need", 2017, section 3.2; as an alignment: Bahdanau
        et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2015,
        section 3.1.
    """

    def __init__(self, num_heads=8, head_dim=64, output_dim=None, dropout=0.0, **kwargs):
        super().__init__(projection_dim=None, **kwargs)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.output_dim = output_dim
        self.dropout = dropout
        self.attention = self._make_attention(output_dim)

    def _make_attention(self, output_dim):
        return CrossModalAttention(
            self.num_heads,
            self.head_dim,
            output_dim,
            self.dropout,
            dtype=self.dtype_policy,
            name="attention",
        )

    def build(self, query_shape, value_shape):
        self.check_tokens(query_shape, value_shape)
        if self.output_dim is None:
            self.attention = self._make_attention(value_shape[-1])
        self.attention.build(query_shape, value_shape)

    def call(self, query, value, query_mask=None, value_mask=None, training=None):
        query, value, (query_mask, value_mask) = self.mask_inputs(
            query, value, query_mask, value_mask
        )
        aligned, scores = self.attention(
            query,
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            return_attention_scores=True,
            training=training,
        )
        return aligned, ops.mean(scores, axis=1)

    def compute_output_shape(self, query_shape, value_shape):
        aligned, plan = super().compute_output_shape(query_shape, value_shape)
        return (*aligned[:2], self.output_dim or aligned[2]), plan

    def get_config(self):
        config = super().get_config()
        del config["projection_dim"]
        return {
            **config,
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "output_dim": self.output_dim,
            "dropout": self.dropout,
        }

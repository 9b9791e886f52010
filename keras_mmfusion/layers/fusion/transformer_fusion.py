import keras

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.transformer_block import TransformerBlock


class TransformerFusion(TokenFusionRule):
    """What the combination rules of Transformer blocks share: their settings, and projections.

    Args:
        modalities: sequence of strings, see `TokenFusionRule`.
        output_dim: int. The size of the tokens, in the blocks and in the output.
        num_layers: int. The number of blocks.
        num_heads: int. Attention heads; must divide `output_dim`.
        dropout: float. Dropout of each branch of a block.
    """

    def __init__(self, modalities, output_dim, num_layers=2, num_heads=4, dropout=0.0, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        check_integer(self, "output_dim", output_dim)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        if output_dim % num_heads:
            raise ValueError(
                f"{type(self).__name__}: `num_heads` must divide `output_dim`. Received: "
                f"num_heads={num_heads}, output_dim={output_dim}"
            )
        self.dropout = check_fraction(self, "dropout", dropout)

    def block(self, name, dim=None, context_dim=None, mlp=True, gated=False):
        """A built block for tokens of `dim`, by default `output_dim`, with its MLP of 4 times it.

        With `context_dim` a block of cross-attention, otherwise of self-attention.
        """
        dim = dim or self.output_dim
        block = TransformerBlock(
            self.num_heads,
            4 * dim if mlp else None,
            self.dropout,
            gated,
            dtype=self.dtype_policy,
            name=name,
        )
        context_shape = None if context_dim is None else (None, None, context_dim)
        block.build((None, None, dim), context_shape)
        return block

    def norm(self, name="norm", dim=None):
        """A built layer normalization, for the output of pre-norm blocks."""
        norm = keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy, name=name)
        norm.build((None, None, dim or self.output_dim))
        return norm

    def learned_tokens(self, count, name):
        """A weight: learned tokens, `(1, count, output_dim)`."""
        return self.add_weight(
            (1, count, self.output_dim), keras.initializers.RandomNormal(stddev=0.02), name=name
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }

import keras
from keras import ops

from keras_mmfusion._checks import check_divisor, check_fraction, check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.transformer_block import TransformerBlock


class TransformerFusion(TokenFusionRule):
    """Base class of rules made of Transformer blocks.

    Args:
        modalities: sequence of strings, see `TokenFusionRule`.
        output_dim: int. The size of the tokens, in the blocks and in the output.
        num_layers: int. The number of blocks.
        num_heads: int. Number of attention heads; must divide `output_dim`.
        dropout: float in [0, 1). Dropout rate of each branch of a block.
    """

    def __init__(self, modalities, output_dim, num_layers=2, num_heads=4, dropout=0.0, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        check_integer(self, "output_dim", output_dim)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        check_divisor(self, "num_heads", num_heads, "output_dim", output_dim)
        self.dropout = check_fraction(self, "dropout", dropout)

    def make_block(self, name, context_dim=None, mlp=True, gated=False):
        """Makes a built block for tokens of `output_dim`.

        Args:
            name: string.
            context_dim: int for a block with cross-attention, `None` for self-attention.
            mlp: bool. Whether the block has an MLP, of `4 * output_dim` hidden units.
            gated: bool. Whether the branches have gates.

        Returns:
            `TransformerBlock`.
        """
        dim = self.output_dim
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

    def make_norm(self):
        """Makes a built layer normalization for the output of pre-norm blocks."""
        norm = keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy, name="norm")
        norm.build((None, None, self.output_dim))
        return norm

    def make_tokens(self, count, name):
        """Adds a weight of learned tokens, `(1, count, output_dim)`."""
        return self.add_weight(
            (1, count, self.output_dim), keras.initializers.RandomNormal(stddev=0.02), name=name
        )

    def repeat_tokens(self, tokens, inputs):
        """Repeats learned tokens for each sample of the batch."""
        batch_size = ops.shape(inputs[self.modalities[0]])[0]
        return ops.repeat(ops.cast(tokens, self.compute_dtype), batch_size, axis=0)

    def project(self, inputs):
        """Applies `self.projections` to the tokens of each modality."""
        return {name: apply_to_rows(self.projections[name], x) for name, x in inputs.items()}

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }

import keras

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.transformer_block import TransformerBlock


class TemporalFusion(keras.layers.Layer):
    """Base class of layers that fuse the tokens of the frames of a video.

    A subclass implements `fuse`, `mask_tokens` if some of its outputs may be masked, and
    `compute_output_shape`.

    Call arguments:
        tokens: float tensor `(batch, frames, tokens, dim)`.
        mask: bool tensor `(batch, frames)`. Masked frames, NaN included, do not affect the output.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, output_tokens, dim)`. `compute_mask` returns the mask of these tokens, or `None`.

    Attributes:
        keeps_positions: bool. Whether each output token has the position of an input token.
    """

    keeps_positions = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, tokens_shape):
        if len(tokens_shape) != 4:
            raise ValueError(
                f"{type(self).__name__}: `tokens` must have the shape (batch, frames, tokens, dim)."
                f" Received shape: {tuple(tokens_shape)}"
            )

    def call(self, tokens, mask=None, training=None):
        mask = cast_mask(mask)
        return self.fuse(zero_masked(cast_input(self, tokens), mask), mask, training)

    def fuse(self, tokens, mask, training):
        """Fuses tokens `(batch, frames, tokens, dim)` whose masked frames are zeros."""
        raise NotImplementedError(f"{type(self).__name__} must implement `fuse`.")

    def compute_mask(self, tokens, mask=None):
        """Returns the mask of the outputs for a mask of frames."""
        return None if mask is None else self.mask_tokens(cast_mask(mask), tokens.shape[2])

    def mask_tokens(self, mask, count):
        """Returns the mask of the outputs for frames of `count` tokens, or `None`."""
        return None


class TransformerTemporalFusion(TemporalFusion):
    """Base class of temporal fusion by Transformer blocks.

    Args:
        num_layers: int. The number of layers.
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int or `None`. Hidden units of the MLPs; `None` for 4 times the dim.
        dropout: float in [0, 1). Dropout rate of each branch of a block.
    """

    def __init__(self, num_layers=2, num_heads=4, mlp_dim=None, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = check_integer(self, "num_layers", num_layers)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.mlp_dim = None if mlp_dim is None else check_integer(self, "mlp_dim", mlp_dim)
        self.dropout = check_fraction(self, "dropout", dropout)

    def build(self, tokens_shape):
        super().build(tokens_shape)
        self.blocks = [
            self.make_block(f"block_{index}", tokens_shape[-1]) for index in range(self.num_layers)
        ]
        self.output_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="output_norm"
        )
        self.output_norm.build((None, None, tokens_shape[-1]))

    def make_block(self, name, dim, mlp=True):
        """Makes a built `TransformerBlock` for tokens of size `dim`, with or without an MLP."""
        mlp_dim = self.mlp_dim or 4 * dim
        block = TransformerBlock(
            self.num_heads,
            mlp_dim if mlp else None,
            self.dropout,
            dtype=self.dtype_policy,
            name=name,
        )
        block.build((None, None, dim))
        return block

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "dropout": self.dropout,
        }

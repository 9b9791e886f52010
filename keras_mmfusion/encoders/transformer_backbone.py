"""The parts that the backbones made of Transformer blocks share."""

import keras
import keras_hub

from keras_mmfusion.layers.transformer_block import TransformerBlock


class TransformerBackbone(keras_hub.models.Backbone):
    """Base class of backbones: an embedding, Transformer blocks, and often a normalization.

    Args:
        inputs: symbolic inputs of the model.
        outputs: symbolic outputs of the model.
        settings: dict. The arguments of the subclass besides those below, for `get_config`.
        embedding: layer that returns tokens.
        blocks: list of `TransformerBlock`s.
        final_norm: the normalization of the tokens, or `None`.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Attributes:
        token_dim: int, the size of a token.
    """

    def __init__(
        self, inputs, outputs, settings, embedding, blocks, final_norm, dtype=None, **kwargs
    ):
        if isinstance(dtype, keras.dtype_policies.DTypePolicyMap):
            # The configuration of a quantized backbone contains the policies of its layers. A model
            # that uses this backbone creates layers of the default policy.
            dtype = dtype.default_policy
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)
        self.settings = settings
        self.token_dim = settings["dim"]
        self.embedding = embedding
        self.blocks = blocks
        self.final_norm = final_norm
        # Call the setter: the constructor's `trainable` does not reach the layers, and Keras
        # skips an assignment that does not change the value.
        keras_hub.models.Backbone.trainable.fset(self, self.trainable)

    def get_config(self):
        return {**super().get_config(), **self.settings}


def make_blocks(
    num_layers, num_heads, mlp_dim, activation, epsilon, dtype, dropout=0.0, layer_scale=None
):
    """Returns the Transformer blocks of a backbone; see `TransformerBlock` for the arguments."""
    return [
        TransformerBlock(
            num_heads,
            mlp_dim,
            dropout,
            activation=activation,
            epsilon=epsilon,
            layer_scale=layer_scale,
            dtype=dtype,
            name=f"block_{index:02d}",
        )
        for index in range(num_layers)
    ]

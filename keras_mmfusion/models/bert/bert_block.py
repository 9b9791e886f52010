import keras

from keras_mmfusion.models.captioning.text_decoder_block import TextDecoderBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BertBlock(TextDecoderBlock):
    """One block of BERT: `TextDecoderBlock` with the normalizations after the residual sums.

    ```
    x = LayerNorm(x + SelfAttention(x))
    x = LayerNorm(x + CrossModalAttention(x, encoder_tokens))     # with cross_attention=True
    x = LayerNorm(x + MLP(x))                                     # Dense, GELU, Dense
    ```

    Args:
        num_heads: int. Number of attention heads; must divide the token dim.
        mlp_dim: int. Hidden units of the MLP.
        dropout: float. Dropout rate of each residual branch.
        cross_attention: bool. Whether the block attends to `encoder_tokens`.
        activation: string. Activation of the MLP, see `TextDecoderBlock`.
        epsilon: float. Added to the variance in the layer normalizations.
        causal: bool. Whether a token attends only to itself and earlier tokens.

    Call arguments and output shape: see `TextDecoderBlock`.

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding", 2019; with cross-attention: Li et al., "BLIP: Bootstrapping Language-Image
        Pre-training for Unified Vision-Language Understanding and Generation", 2022, figure 2.
    """

    def __init__(
        self,
        num_heads,
        mlp_dim,
        dropout=0.1,
        cross_attention=False,
        activation="gelu",
        epsilon=1e-12,
        causal=True,
        **kwargs,
    ):
        super().__init__(
            num_heads, mlp_dim, dropout, cross_attention, activation, epsilon, **kwargs
        )
        self.causal = causal

    def _add_branch(self, x, norm, branch):
        return norm(x + branch(x))

    def get_config(self):
        return {**super().get_config(), "causal": self.causal}

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import concatenate_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PerceiverResampler(TransformerFusion):
    """Perceiver resampler: a few learned tokens attend to the tokens of all modalities.

    With `z = [x_1 W_1 + b_1; ...; x_n W_n + b_n]`, the tokens of all modalities, and learned
    tokens `l`, in each layer:

    ```
    l = l + Attention(LayerNorm(l), LayerNorm([z; l]))
    l = l + MLP(LayerNorm(l))
    ```

    The output is the layer normalization of `l`. It is invariant to the order of the tokens of a
    modality. Time and memory are linear in the number of tokens. For a sample without any
    modality, the learned tokens attend only to themselves.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`.
        num_latents: int. The number of learned tokens.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, num_latents, output_dim)`. No token is masked.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import PerceiverResampler
    >>> fusion = PerceiverResampler(("video", "audio"), output_dim=8, num_latents=3)
    >>> tuple(fusion({"video": np.ones((2, 9, 6)), "audio": np.ones((2, 5, 3))}).shape)
    (2, 3, 8)

    Reference:
        Alayrac et al., "Flamingo: a Visual Language Model for Few-Shot Learning", 2022, section
        2.1 and figure 5; here with several modalities, and without time embeddings.
    """

    def __init__(
        self,
        modalities,
        output_dim,
        num_latents=64,
        num_layers=2,
        num_heads=4,
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(modalities, output_dim, num_layers, num_heads, dropout, **kwargs)
        self.num_latents = check_integer(self, "num_latents", num_latents)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim)
        self.latents = self.make_tokens(self.num_latents, "latents")
        self.blocks = [
            self.make_block(f"block_{i}", context_dim=self.output_dim)
            for i in range(self.num_layers)
        ]
        self.output_norm = self.make_norm()

    def combine(self, inputs, mask):
        tokens = self.project(inputs)
        latents = self.repeat_tokens(self.latents, inputs)
        context_mask = concatenate_masks([*inputs.values(), latents], [*mask.values(), None])
        for block in self.blocks:
            context = ops.concatenate([*tokens.values(), latents], axis=1)
            latents = block(latents, context, context_mask=context_mask)
        return self.output_norm(latents), None

    def count_tokens(self, counts):
        return self.num_latents

    def get_config(self):
        return {**super().get_config(), "num_latents": self.num_latents}

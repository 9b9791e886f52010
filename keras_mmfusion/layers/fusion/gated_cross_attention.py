import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import concatenate_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GatedCrossAttention(TransformerFusion):
    """Gated cross-attention: one modality attends to the others, initially without any effect.

    With `z = [x_2 W_2 + b_2; ...; x_n W_n + b_n]`, the tokens of all modalities but the first,
    in each layer, with scalars `α` and `β` that are initialized to zero:

    ```
    x_1 = x_1 + tanh(α) Attention(LayerNorm(x_1), LayerNorm(z))
    x_1 = x_1 + tanh(β) MLP(LayerNorm(x_1))
    ```

    Initially the output is `x_1`, so that a pretrained model that follows, or whose layers
    alternate with such layers, still works. `x_1` is projected only if its dim is not
    `output_dim`. If the first modality is missing, the output is masked; if the others are
    missing, only the MLP has an effect.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`. The
            first modality attends to the others.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, tokens of the first modality, output_dim)`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import GatedCrossAttention
    >>> fusion = GatedCrossAttention(("text", "image"), output_dim=8)
    >>> text = np.random.rand(2, 5, 8).astype("float32")
    >>> fused = fusion({"text": text, "image": np.ones((2, 49, 20))})
    >>> bool(keras.ops.all(fused == text))
    True

    Reference:
        Alayrac et al., "Flamingo: a Visual Language Model for Few-Shot Learning", 2022, section
        2.2 and figure 4; here the context is also normalized.
    """

    def __init__(self, modalities, output_dim, num_layers=2, num_heads=4, dropout=0.0, **kwargs):
        super().__init__(modalities, output_dim, num_layers, num_heads, dropout, **kwargs)
        if len(self.modalities) < 2:
            raise ValueError(
                "GatedCrossAttention: `modalities` must be two or more: the first attends to the "
                f"others. Received: {modalities!r}"
            )

    def build_rule(self, dims):
        first, *others = dims
        self.projection = None
        if dims[first] != self.output_dim:
            first_dim = {first: dims[first]}
            self.projection = self.make_dense("projection", first_dim, self.output_dim)[first]
        self.context_projections = self.make_dense(
            "projection", {name: dims[name] for name in others}, self.output_dim
        )
        self.blocks = [
            self.make_block(f"block_{i}", context_dim=self.output_dim, gated=True)
            for i in range(self.num_layers)
        ]

    def combine(self, inputs, mask):
        first, *others = self.modalities
        x = inputs[first]
        if self.projection is not None:
            x = apply_to_rows(self.projection, x)
        context = ops.concatenate(
            [apply_to_rows(self.context_projections[name], inputs[name]) for name in others],
            axis=1,
        )
        context_mask = concatenate_masks(
            [inputs[name] for name in others], [mask[name] for name in others]
        )
        for block in self.blocks:
            x = block(x, context, context_mask=context_mask)
        return x, mask[first]

    def count_tokens(self, counts):
        return counts[0]

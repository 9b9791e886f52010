import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import joined_mask


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GatedCrossAttention(TransformerFusion):
    """Gated cross-attention: one modality reads the others, at first without any effect.

    With `z = [x_2 W_2 + b_2; ...; x_n W_n + b_n]`, the tokens of all modalities but the first,
    in each layer, with scalars `α` and `β` that start at zero:

    ```
    x_1 = x_1 + tanh(α) Attention(LayerNorm(x_1), LayerNorm(z))
    x_1 = x_1 + tanh(β) MLP(LayerNorm(x_1))
    ```

    At first the output is `x_1` itself, so that a pretrained model behind it, or between such
    layers, still works. `x_1` is projected only where its dim is not `output_dim`. A sample
    without the first modality gives masked tokens; without the others, only the MLP acts.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`; the
            first of the modalities reads the others.

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
        2.2 and figure 4; here the context is normalized as well.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        if len(self.modalities) < 2:
            raise ValueError(
                "GatedCrossAttention: `modalities` must be two or more: one that reads, and what "
                f"it reads. Received: {modalities!r}"
            )

    def build_rule(self, dims):
        first, *others = dims
        self.projection = None
        if dims[first] != self.output_dim:
            [self.projection] = self.dense_each("projection", {first: dims[first]}, self.output_dim)
        self.context_projections = self.dense_each(
            "projection", {name: dims[name] for name in others}, self.output_dim
        )
        self.blocks = [
            self.block(f"block_{i}", context_dim=self.output_dim, gated=True)
            for i in range(self.num_layers)
        ]

    def combine(self, values, present):
        x, *others = values
        if self.projection is not None:
            x = apply_to_rows(self.projection, x)
        context = ops.concatenate(
            [apply_to_rows(p, z) for p, z in zip(self.context_projections, others, strict=True)],
            axis=1,
        )
        mask = joined_mask(others, present[1:])
        for block in self.blocks:
            x = block(x, context, context_mask=mask)
        return x, present[0]

    def count_tokens(self, counts):
        return counts[0]

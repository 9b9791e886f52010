import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import joined_mask


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BottleneckFusion(TransformerFusion):
    """Attention bottlenecks (MBT): modalities exchange only through a few shared tokens.

    With `z_m = x_m W_m + b_m` and learned tokens `f`, in each layer, for each modality `m`:

    ```
    [z_m; f_m] = Transformer_m([z_m; f])
    f = mean of f_m over the modalities that are present
    ```

    The output is the layer normalization of `[z_1; ...; z_n; f]`. A layer's cost grows with the
    square of each modality's own length, not of their sum.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`.
        num_bottlenecks: int. The number of shared tokens.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, sum of the tokens + num_bottlenecks, output_dim)`. The shared tokens, which come
        last, are real for every sample.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import BottleneckFusion
    >>> fusion = BottleneckFusion(("video", "audio"), output_dim=8, num_bottlenecks=2)
    >>> tuple(fusion({"video": np.ones((2, 9, 6)), "audio": np.ones((2, 5, 3))}).shape)
    (2, 16, 8)

    Reference:
        Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", 2021, equations 8 and 9.
    """

    def __init__(self, modalities, output_dim, num_bottlenecks=4, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.num_bottlenecks = check_integer(self, "num_bottlenecks", num_bottlenecks)

    def build_rule(self, dims):
        self.projections = self.dense_each("projection", dims, self.output_dim)
        self.bottlenecks = self.learned_tokens(self.num_bottlenecks, "bottlenecks")
        self.blocks = [
            [self.block(f"{name}_block_{i}") for name in dims] for i in range(self.num_layers)
        ]
        self.output_norm = self.norm()

    def combine(self, values, present):
        batch_size = ops.shape(values[0])[0]
        tokens = [apply_to_rows(p, x) for p, x in zip(self.projections, values, strict=True)]
        shared = ops.repeat(ops.cast(self.bottlenecks, self.compute_dtype), batch_size, axis=0)
        masks = [
            joined_mask([x, shared], [mask, None]) for x, mask in zip(values, present, strict=True)
        ]
        here = [
            1.0 if mask is None else ops.cast(ops.any(mask, axis=1), "float32")[:, None, None]
            for mask in present
        ]
        count = sum(here)
        for blocks in self.blocks:
            total = 0.0
            for m, block in enumerate(blocks):
                both = block(ops.concatenate([tokens[m], shared], axis=1), mask=masks[m])
                tokens[m] = both[:, : -self.num_bottlenecks]
                update = both[:, -self.num_bottlenecks :]
                total = total + here[m] * ops.cast(update, "float32")
            mean = ops.cast(total / ops.maximum(count, 1.0), self.compute_dtype)
            shared = ops.where(count > 0, mean, shared)
        fused = self.output_norm(ops.concatenate([*tokens, shared], axis=1))
        return fused, joined_mask([*values, shared], [*present, None])

    def count_tokens(self, counts):
        return None if None in counts else sum(counts) + self.num_bottlenecks

    def get_config(self):
        return {**super().get_config(), "num_bottlenecks": self.num_bottlenecks}

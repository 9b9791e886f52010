import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import concatenate_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BottleneckFusion(TransformerFusion):
    """Attention bottlenecks (MBT): modalities exchange information through a few shared tokens.

    With `z_m = x_m W_m + b_m` and learned tokens `f`, in each layer, for each modality `m`:

    ```
    [z_m; f_m] = Transformer_m([z_m; f])
    f = mean of f_m over the modalities that are not missing
    ```

    The output is the layer normalization of `[z_1; ...; z_n; f]`. The cost is quadratic in the
    length of each modality, not in the sum of the lengths.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`.
        num_bottlenecks: int. The number of shared tokens.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, sum of the tokens + num_bottlenecks, output_dim)`. The shared tokens come last
        and are never masked.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import BottleneckFusion
    >>> fusion = BottleneckFusion(("video", "audio"), output_dim=8, num_bottlenecks=2)
    >>> tuple(fusion({"video": np.ones((2, 9, 6)), "audio": np.ones((2, 5, 3))}).shape)
    (2, 16, 8)

    Reference:
        Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", 2021, equations 8 and 9.
    """

    def __init__(
        self,
        modalities,
        output_dim,
        num_bottlenecks=4,
        num_layers=2,
        num_heads=4,
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(modalities, output_dim, num_layers, num_heads, dropout, **kwargs)
        self.num_bottlenecks = check_integer(self, "num_bottlenecks", num_bottlenecks)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim)
        self.bottlenecks = self.make_tokens(self.num_bottlenecks, "bottlenecks")
        self.blocks = [
            {name: self.make_block(f"{name}_block_{i}") for name in dims}
            for i in range(self.num_layers)
        ]
        self.output_norm = self.make_norm()

    def combine(self, inputs, mask):
        tokens = self.project(inputs)
        shared = self.repeat_tokens(self.bottlenecks, inputs)
        masks = {
            name: concatenate_masks([x, shared], [mask[name], None]) for name, x in inputs.items()
        }
        weights = {
            name: 1.0 if m is None else ops.cast(ops.any(m, axis=1), "float32")[:, None, None]
            for name, m in mask.items()
        }
        count = sum(weights.values())
        for blocks in self.blocks:
            total = 0.0
            for name, block in blocks.items():
                x = block(ops.concatenate([tokens[name], shared], axis=1), mask=masks[name])
                tokens[name] = x[:, : -self.num_bottlenecks]
                update = x[:, -self.num_bottlenecks :]
                total = total + weights[name] * ops.cast(update, "float32")
            mean = ops.cast(total / ops.maximum(count, 1.0), self.compute_dtype)
            shared = ops.where(count > 0, mean, shared)
        fused = self.output_norm(ops.concatenate([*tokens.values(), shared], axis=1))
        return fused, concatenate_masks([*inputs.values(), shared], [*mask.values(), None])

    def count_tokens(self, counts):
        return None if None in counts else sum(counts) + self.num_bottlenecks

    def get_config(self):
        return {**super().get_config(), "num_bottlenecks": self.num_bottlenecks}

import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cross_modal_transformer import CrossModalTransformer
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import joined_mask
from keras_mmfusion.layers.sinusoidal_positions import add_positions


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MulTFusion(TransformerFusion):
    """Multimodal Transformer (MulT): each modality reads every other one.

    With sinusoidal positions `P`, and for each ordered pair of modalities a
    `CrossModalTransformer` from `k` to `m`, for each modality `m` a self-attention one:

    ```
    z_m = x_m W_m + b_m + P
    z_(k→m) = CrossModalTransformer_(k→m)(z_m, context=z_k)     for all k other than m
    y_m = SelfTransformer_m([z_(k→m) for all k], features side by side) V_m + v_m
    ```

    The output is `[y_1; ...; y_n]`, end to end. The modalities need no common length or rate.
    A token whose other modality `k` is missing reads nothing in `z_(k→m)`. There are `n (n - 1)`
    pairs: with many modalities, `BottleneckFusion` costs less.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`; two
            modalities or more. All Transformers have `num_layers` blocks.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, sum of the tokens, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import MulTFusion
    >>> fusion = MulTFusion(("text", "audio"), output_dim=8, num_layers=1, num_heads=2)
    >>> tuple(fusion({"text": np.ones((2, 5, 6)), "audio": np.ones((2, 9, 3))}).shape)
    (2, 14, 8)

    Reference:
        Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", 2019,
        section 3.1 and equations 2 to 5; here the projection is a convolution of width 1, and the
        last linear layer is of every token, not of the last one only.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        if len(self.modalities) < 2:
            raise ValueError(
                f"MulTFusion: `modalities` must be two or more. Received: {modalities!r}. One "
                "alone has no other to read; take a `CrossModalTransformer` without a context."
            )

    def build_rule(self, dims):
        self.projections = self.dense_each("projection", dims, self.output_dim)
        joined = (len(dims) - 1) * self.output_dim
        self.pairs, self.selfs = [], []
        for target in dims:
            sources = [name for name in dims if name != target]
            self.pairs.append(
                [
                    self._transformer(f"{name}_to_{target}", self.output_dim, True)
                    for name in sources
                ]
            )
            self.selfs.append(self._transformer(f"{target}_self", joined, False))
        self.outputs = self.dense_each("output", dict.fromkeys(dims, joined), self.output_dim)

    def _transformer(self, name, dim, has_context):
        transformer = CrossModalTransformer(
            self.num_layers, self.num_heads, self.dropout, dtype=self.dtype_policy, name=name
        )
        shape = (None, None, dim)
        transformer.build(shape, shape if has_context else None)
        return transformer

    def combine(self, values, present):
        tokens = [
            add_positions(apply_to_rows(project, value))
            for project, value in zip(self.projections, values, strict=True)
        ]
        fused = []
        for m, target in enumerate(tokens):
            sources = [k for k in range(len(tokens)) if k != m]
            read = [
                transformer(target, tokens[k], context_mask=present[k])
                for transformer, k in zip(self.pairs[m], sources, strict=True)
            ]
            joined = self.selfs[m](ops.concatenate(read, axis=-1), mask=present[m])
            fused.append(apply_to_rows(self.outputs[m], joined))
        return ops.concatenate(fused, axis=1), joined_mask(values, present)

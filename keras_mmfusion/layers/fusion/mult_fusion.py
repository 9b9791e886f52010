import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cross_modal_transformer import CrossModalTransformer
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import concatenate_masks
from keras_mmfusion.layers.sinusoidal_positions import add_positions


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MulTFusion(TransformerFusion):
    """Multimodal Transformer (MulT): each modality attends to every other one.

    With sinusoidal positions `P`, a `CrossModalTransformer` from `k` to `m` for each ordered pair
    of modalities, and one with self-attention for each modality `m`:

    ```
    z_m = x_m W_m + b_m + P
    z_(k→m) = CrossModalTransformer_(k→m)(z_m, context=z_k)     for all k other than m
    y_m = SelfTransformer_m(concat(z_(k→m) for all k, along the features)) V_m + v_m
    ```

    The output is `[y_1; ...; y_n]`, concatenated along the tokens. The modalities may have
    different lengths and rates. If modality `k` is missing, the attention of `z_(k→m)` adds
    nothing. There are `n (n - 1)` pairs: for many modalities, `BottleneckFusion` is cheaper.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`. Two or
            more modalities; all Transformers have `num_layers` blocks.

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
        last linear layer is applied to every token, not only to the last one.
    """

    def __init__(self, modalities, output_dim, num_layers=2, num_heads=4, dropout=0.0, **kwargs):
        super().__init__(modalities, output_dim, num_layers, num_heads, dropout, **kwargs)
        if len(self.modalities) < 2:
            raise ValueError(
                f"MulTFusion: `modalities` must be two or more. Received: {modalities!r}. For one "
                "modality, use a `CrossModalTransformer` without a context."
            )

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim)
        joined_dim = (len(dims) - 1) * self.output_dim
        self.pairs, self.selfs = {}, {}
        for target in dims:
            self.pairs[target] = {
                source: self._make_transformer(f"{source}_to_{target}", self.output_dim, True)
                for source in dims
                if source != target
            }
            self.selfs[target] = self._make_transformer(f"{target}_self", joined_dim, False)
        self.outputs = self.make_dense("output", dict.fromkeys(dims, joined_dim), self.output_dim)

    def _make_transformer(self, name, dim, has_context):
        transformer = CrossModalTransformer(
            self.num_layers, self.num_heads, self.dropout, dtype=self.dtype_policy, name=name
        )
        shape = (None, None, dim)
        transformer.build(shape, shape if has_context else None)
        return transformer

    def combine(self, inputs, mask):
        tokens = {name: add_positions(x) for name, x in self.project(inputs).items()}
        fused = []
        for target, x in tokens.items():
            attended = [
                transformer(x, tokens[source], context_mask=mask[source])
                for source, transformer in self.pairs[target].items()
            ]
            joined = self.selfs[target](ops.concatenate(attended, axis=-1), mask=mask[target])
            fused.append(apply_to_rows(self.outputs[target], joined))
        return ops.concatenate(fused, axis=1), concatenate_masks(inputs.values(), mask.values())

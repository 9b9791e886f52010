import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.masks import joined_mask, whole_mask


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class DeepSetFusion(TokenFusionRule):
    """Deep sets: a network of the sum of networks of the tokens.

    ```
    φ_m(x) = GELU(GELU(x W_m + b_m) V_m + v_m)
    y = ρ(Σ_m Σ_t φ_m(x_mt))               the union of all tokens, one token
    y_m = ρ_m(Σ_t φ_m(x_mt))               with per_modality=True, a token of each modality
    ρ(s) = GELU(s P + p) Q + q
    ```

    It does not depend on the order of the tokens, or with the union of the modalities. Sums are
    computed in float32; a missing token adds nothing.

    Args:
        modalities: sequence of strings, see `TokenFusionRule`.
        output_dim: int. The size of the tokens, and of all hidden layers.
        per_modality: bool. Whether each modality is a set of its own.
        average: bool. Whether to average over the set instead: then its size has no effect.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, 1, output_dim)`, always real, or with `per_modality`
        `(batch, modalities, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import DeepSetFusion
    >>> fusion = DeepSetFusion(("points", "words"), output_dim=8)
    >>> tuple(fusion({"points": np.ones((2, 9, 3)), "words": np.ones((2, 5, 6))}).shape)
    (2, 1, 8)

    Reference:
        Zaheer et al., "Deep Sets", 2017, theorem 2 and section 3.1.
    """

    def __init__(self, modalities, output_dim, per_modality=False, average=False, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        check_integer(self, "output_dim", output_dim)
        self.per_modality = bool(per_modality)
        self.average = bool(average)

    def build_rule(self, dims):
        size = self.output_dim
        sets = dict.fromkeys(dims if self.per_modality else ["union"], size)
        hidden = dict.fromkeys(dims, size)
        self.element_hidden = self.dense_each("element_hidden", dims, size, activation="gelu")
        self.element_output = self.dense_each("element_output", hidden, size, activation="gelu")
        self.set_hidden = self.dense_each("set_hidden", sets, size, activation="gelu")
        self.set_output = self.dense_each("set_output", sets, size)

    def combine(self, values, present):
        parts = zip(self.element_hidden, self.element_output, values, present, strict=True)
        sums = [
            _masked_sum(apply_to_rows(output, apply_to_rows(hidden, value)), here)
            for hidden, output, value, here in parts
        ]
        if self.per_modality:
            some = [
                None if here is None else ops.any(here, axis=1, keepdims=True) for here in present
            ]
            mask = joined_mask([x[:, :1] for x in values], some)
        else:
            sums, mask = [sum(sums)], None
        if self.average:
            parts = zip(sums, self._counts(values, present), strict=True)
            sums = [total / ops.maximum(count, 1.0) for total, count in parts]
        sets = [
            output(hidden(ops.cast(total, self.compute_dtype)))
            for hidden, output, total in zip(self.set_hidden, self.set_output, sums, strict=True)
        ]
        return ops.stack(sets, axis=1), mask

    def _counts(self, values, present):
        masks = [whole_mask(*each) for each in zip(values, present, strict=True)]
        counts = [ops.sum(ops.cast(here, "float32"), axis=1, keepdims=True) for here in masks]
        return counts if self.per_modality else [sum(counts)]

    def count_tokens(self, counts):
        return len(counts) if self.per_modality else 1

    def get_config(self):
        return {
            **super().get_config(),
            "per_modality": self.per_modality,
            "average": self.average,
        }


def _masked_sum(elements, mask):
    """Float32 sum of the elements that are there, as a product, which is one pass over them."""
    if mask is None:
        return ops.sum(ops.cast(elements, "float32"), axis=1)
    mask = ops.expand_dims(ops.cast(mask, "float32"), 1)
    return ops.squeeze(ops.matmul(mask, ops.cast(elements, "float32")), 1)

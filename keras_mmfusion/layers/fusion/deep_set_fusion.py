import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.masks import concatenate_masks, ensure_masks

# The name of the one set of all modalities.
UNION = "union"


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class DeepSetFusion(TokenFusionRule):
    """Deep sets: an MLP of the sum of MLPs of the tokens.

    ```
    φ_m(x) = GELU(GELU(x W_m + b_m) V_m + v_m)
    y = ρ(Σ_m Σ_t φ_m(x_mt))               one set of all tokens, one output token
    y_m = ρ_m(Σ_t φ_m(x_mt))               with per_modality=True, one token per modality
    ρ(s) = GELU(s P + p) Q + q
    ```

    The output is invariant to the order of the tokens, and, for one set, to that of the
    modalities. Sums are computed in float32; masked tokens add nothing.

    Args:
        modalities: sequence of strings, see `TokenFusionRule`.
        output_dim: int. The size of the tokens, and of all hidden layers.
        per_modality: bool. Whether each modality is a separate set.
        average: bool. Whether to average over a set instead of summing, so that its size has no
            effect.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, 1, output_dim)`, never masked, or with `per_modality`
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
        sets = dict.fromkeys(dims if self.per_modality else [UNION], size)
        hidden = dict.fromkeys(dims, size)
        self.element_hidden = self.make_dense("element_hidden", dims, size, activation="gelu")
        self.element_output = self.make_dense("element_output", hidden, size, activation="gelu")
        self.set_hidden = self.make_dense("set_hidden", sets, size, activation="gelu")
        self.set_output = self.make_dense("set_output", sets, size)

    def combine(self, inputs, mask):
        sums = {
            name: _masked_sum(self._embed_elements(name, x), mask[name])
            for name, x in inputs.items()
        }
        if not self.per_modality:
            sums = {UNION: sum(sums.values())}
        if self.average:
            counts = self._count_elements(inputs, mask)
            sums = {name: total / ops.maximum(counts[name], 1.0) for name, total in sums.items()}
        sets = [
            self.set_output[name](self.set_hidden[name](ops.cast(total, self.compute_dtype)))
            for name, total in sums.items()
        ]
        return ops.stack(sets, axis=1), self._mask_sets(inputs, mask)

    def _embed_elements(self, name, x):
        """`φ_m` of the tokens of modality `m`."""
        hidden = apply_to_rows(self.element_hidden[name], x)
        return apply_to_rows(self.element_output[name], hidden)

    def _count_elements(self, inputs, mask):
        counts = {
            name: ops.sum(ops.cast(m, "float32"), axis=1, keepdims=True)
            for name, m in ensure_masks(inputs, mask).items()
        }
        return counts if self.per_modality else {UNION: sum(counts.values())}

    def _mask_sets(self, inputs, mask):
        """The mask of the output tokens: `False` for the set of a missing modality."""
        if not self.per_modality:
            return None
        masks = [None if m is None else ops.any(m, axis=1, keepdims=True) for m in mask.values()]
        return concatenate_masks([x[:, :1] for x in inputs.values()], masks)

    def count_tokens(self, counts):
        return len(counts) if self.per_modality else 1

    def get_config(self):
        return {
            **super().get_config(),
            "per_modality": self.per_modality,
            "average": self.average,
        }


def _masked_sum(elements, mask):
    """Float32 sum of the unmasked elements. A matrix product takes one pass over them."""
    if mask is None:
        return ops.sum(ops.cast(elements, "float32"), axis=1)
    mask = ops.expand_dims(ops.cast(mask, "float32"), 1)
    return ops.squeeze(ops.matmul(mask, ops.cast(elements, "float32")), 1)

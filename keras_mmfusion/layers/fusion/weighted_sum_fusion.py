import keras
from keras import ops

from keras_mmfusion.layers.fusion.sum_fusion import SumFusion
from keras_mmfusion.layers.masks import ensure_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class WeightedSumFusion(SumFusion):
    """Sums projections of the modalities with learned weights that sum to one.

    ```
    h_m = x_m W_m + b_m
    e_m = a_m, or wᵀ tanh(h_m) with per_sample=True
    y = Σ_m α_m h_m,   α = softmax(e) over the modalities that are not missing
    ```

    A sample without any modality gives zeros. Softmax runs in float32. Without `output_dim`,
    `h_m = x_m`, which needs equal dims.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int or `None`. The size of the output.
        per_sample: bool. Whether the weights depend on the sample.

    Call arguments:
        inputs, mask: see `FusionRule`.
        return_weights: bool. Whether to also return `α`.

    Output shape:
        `(batch, output_dim)`; with `return_weights` a tuple of that and float32
        `(batch, modalities)`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import WeightedSumFusion
    >>> fusion = WeightedSumFusion(("image", "text"), output_dim=4)
    >>> inputs = {"image": np.ones((2, 8)), "text": np.ones((2, 3))}
    >>> mask = {"text": np.array([True, False])}
    >>> _, weights = fusion(inputs, mask=mask, return_weights=True)
    >>> keras.ops.convert_to_numpy(weights).tolist()
    [[0.5, 0.5], [1.0, 0.0]]

    Reference:
        Hori et al., "Attention-Based Multimodal Fusion for Video Description", 2017, section 4;
        here without a decoder's state.
    """

    def __init__(self, modalities, output_dim=None, per_sample=False, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.per_sample = bool(per_sample)

    def build_rule(self, dims):
        super().build_rule(dims)
        if self.per_sample:
            dim = self.output_dim or dims[self.modalities[0]]
            self.score = self.add_weight((dim, 1), initializer="glorot_uniform", name="score")
        else:
            self.score = self.add_weight((len(dims),), initializer="zeros", name="score")

    def call(self, inputs, mask=None, return_weights=False):
        inputs, mask = self.prepare_inputs(inputs, mask)
        hidden = ops.stack(list(self.project(inputs).values()), axis=1)
        stacked_mask = None
        if any(m is not None for m in mask.values()):
            stacked_mask = ops.stack(list(ensure_masks(inputs, mask).values()), axis=-1)
        weights = self._compute_weights(hidden, stacked_mask)
        fused = ops.sum(ops.expand_dims(ops.cast(weights, hidden.dtype), -1) * hidden, axis=1)
        if not return_weights:
            return fused
        return fused, ops.broadcast_to(weights, ops.shape(hidden)[:2])

    def compute_shares(self, inputs, mask=None):
        """The weights `α`, float32 `(batch, modalities)`, see `FusionRule.compute_shares`."""
        return self.call(inputs, mask, return_weights=True)[1]

    def _compute_weights(self, hidden, mask):
        """`α` of shape `(batch, modalities)`, or `(modalities,)` if all samples have the same."""
        scores = ops.cast(self.score, "float32")
        if self.per_sample:
            scores = ops.squeeze(ops.matmul(ops.tanh(ops.cast(hidden, "float32")), scores), -1)
        if mask is None:
            return ops.softmax(scores, axis=-1)
        scores = ops.where(mask, scores, -1e9)
        return ops.where(mask, ops.softmax(scores, axis=-1), 0.0)

    def compute_output_spec(self, inputs, mask=None, return_weights=False):
        batch_size, dim = inputs[self.modalities[0]].shape
        fused = keras.KerasTensor((batch_size, self.output_dim or dim), dtype=self.compute_dtype)
        weights = keras.KerasTensor((batch_size, len(self.modalities)), dtype="float32")
        return (fused, weights) if return_weights else fused

    def get_config(self):
        return {**super().get_config(), "per_sample": self.per_sample}

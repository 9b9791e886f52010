import keras
from keras import ops

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, normalized_shares
from keras_mmfusion.layers.masks import zeros_if_missing


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ProductOfExperts(FusionRule):
    """Product of Gaussian experts: each modality says what it knows, and how surely.

    With the means `μ_m` and log-variances `l_m`, linear in `x_m`, and a standard normal prior as
    one more expert:

    ```
    T = 1 + Σ_m exp(-l_m)
    y = Σ_m exp(-l_m) μ_m / T,   variance = 1 / T
    ```

    A missing modality is no expert: less is known, and the variance is larger. Precisions are
    computed in float32, with `l_m` kept in [-10, 10].

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int. The size of the output.

    Call arguments:
        inputs, mask: see `FusionRule`.
        return_variance: bool. Also return the variance.

    Output shape:
        `(batch, output_dim)`; with `return_variance` a tuple of that and a float32 tensor of the
        same shape.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import ProductOfExperts
    >>> fusion = ProductOfExperts(("image", "text"), output_dim=4)
    >>> inputs = {"image": np.ones((2, 8)), "text": np.ones((2, 3))}
    >>> nothing = {"image": np.zeros(2, bool), "text": np.zeros(2, bool)}
    >>> mean, variance = fusion(inputs, mask=nothing, return_variance=True)
    >>> float(keras.ops.max(mean)), float(keras.ops.min(variance))  # the prior
    (0.0, 1.0)

    Reference:
        Wu and Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning",
        2018, section 2.2; Cao and Fleet, "Generalized Product of Experts", 2014.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        self.means = self.dense_each("mean", dims, self.output_dim)
        self.log_variances = self.dense_each("log_variance", dims, self.output_dim)

    def call(self, inputs, mask=None, return_variance=False):
        values, present = self._unpack(inputs, mask)
        precisions = self._precisions(values, present)
        total = 1.0 + sum(precisions)
        weighted = sum(
            precision * ops.cast(mean(value), "float32")
            for mean, value, precision in zip(self.means, values, precisions, strict=True)
        )
        fused = ops.cast(weighted / total, self.compute_dtype)
        return (fused, 1.0 / total) if return_variance else fused

    def shares(self, inputs, mask=None):
        """Each modality's part of the precision, the prior's left out, as mean over the units.

        Float32 `(batch, modalities)`, see `FusionRule.shares`.
        """
        precisions = ops.stack(self._precisions(*self._unpack(inputs, mask)), axis=-1)
        return ops.mean(normalized_shares(precisions), axis=1)

    def _precisions(self, values, present):
        return [
            zeros_if_missing(
                ops.exp(-ops.clip(ops.cast(log_variance(value), "float32"), -10.0, 10.0)),
                None if here is None else ops.cast(here, "float32"),
            )
            for log_variance, value, here in zip(self.log_variances, values, present, strict=True)
        ]

    def compute_output_spec(self, inputs, mask=None, return_variance=False):
        shape = (inputs[self.modalities[0]].shape[0], self.output_dim)
        fused = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (fused, keras.KerasTensor(shape, dtype="float32")) if return_variance else fused

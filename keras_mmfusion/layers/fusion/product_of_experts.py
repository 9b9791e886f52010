import keras
from keras import ops

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, normalize_shares
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ProductOfExperts(FusionRule):
    """Product of Gaussian experts: each modality predicts a mean and a variance.

    With the means `μ_m` and log-variances `l_m`, linear in `x_m`, and a standard normal prior as
    an additional expert:

    ```
    T = 1 + Σ_m exp(-l_m)
    y = Σ_m exp(-l_m) μ_m / T,   variance = 1 / T
    ```

    A missing modality is left out, so that the variance is larger. Precisions are computed in
    float32, with `l_m` clipped to [-10, 10].

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
    >>> missing = {"image": np.zeros(2, bool), "text": np.zeros(2, bool)}
    >>> mean, variance = fusion(inputs, mask=missing, return_variance=True)
    >>> float(keras.ops.max(mean)), float(keras.ops.min(variance))  # the prior
    (0.0, 1.0)

    Reference:
        Wu and Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning",
        2018, section 2.2; Cao and Fleet, "Generalized Product of Experts", 2014.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        self.means = self.make_dense("mean", dims, self.output_dim)
        self.log_variances = self.make_dense("log_variance", dims, self.output_dim)

    def call(self, inputs, mask=None, return_variance=False):
        inputs, mask = self.prepare_inputs(inputs, mask)
        precisions = self._compute_precisions(inputs, mask)
        total = 1.0 + sum(precisions.values())
        weighted = sum(
            precisions[name] * ops.cast(self.means[name](x), "float32")
            for name, x in inputs.items()
        )
        fused = ops.cast(weighted / total, self.compute_dtype)
        return (fused, 1.0 / total) if return_variance else fused

    def compute_shares(self, inputs, mask=None):
        """The share of each modality in the precision without the prior, averaged over the units.

        Float32 `(batch, modalities)`, see `FusionRule.compute_shares`.
        """
        precisions = self._compute_precisions(*self.prepare_inputs(inputs, mask))
        precisions = ops.stack(list(precisions.values()), axis=-1)
        return ops.mean(normalize_shares(precisions), axis=1)

    def _compute_precisions(self, inputs, mask):
        precisions = {}
        for name, x in inputs.items():
            log_variance = ops.cast(self.log_variances[name](x), "float32")
            precision = ops.exp(-ops.clip(log_variance, -10.0, 10.0))
            precisions[name] = zero_masked(precision, mask[name])
        return precisions

    def compute_output_spec(self, inputs, mask=None, return_variance=False):
        shape = (inputs[self.modalities[0]].shape[0], self.output_dim)
        fused = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (fused, keras.KerasTensor(shape, dtype="float32")) if return_variance else fused

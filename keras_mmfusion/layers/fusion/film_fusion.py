import keras

from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion
from keras_mmfusion.layers.masks import zeros_if_missing


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FiLMFusion(BilinearFusion):
    """Feature-wise linear modulation (FiLM): one modality scales and shifts the other's features.

    ```
    y = (1 + x_2 W_γ + b_γ) ∘ (x_1 W + b) + x_2 W_β + b_β
    ```

    Without the second modality the first one's features stay as they are; without the first,
    they count as zeros.

    Args:
        modalities: two strings: the features, and the condition.
        output_dim: int. The size of the output.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import FiLMFusion
    >>> fusion = FiLMFusion(("image", "question"), output_dim=4)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", 2018, equations 1
        and 2; the scale's offset of 1 is section 7.2's.
    """

    def build_rule(self, dims):
        features, condition = self.modalities
        [self.projection] = self.dense_each(
            "projection", {features: dims[features]}, self.output_dim
        )
        [self.scale] = self.dense_each("scale", {condition: dims[condition]}, self.output_dim)
        [self.shift] = self.dense_each("shift", {condition: dims[condition]}, self.output_dim)

    def combine(self, values, present):
        features, condition = values
        has_features, has_condition = present
        hidden = zeros_if_missing(self.projection(features), has_features)
        scale, shift = self.scale(condition), self.shift(condition)
        return hidden + zeros_if_missing(scale * hidden + shift, has_condition)

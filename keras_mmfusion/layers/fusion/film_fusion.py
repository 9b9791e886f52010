import keras

from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FiLMFusion(BilinearFusion):
    """Feature-wise linear modulation (FiLM): one modality modulates the features of another.

    ```
    y = (1 + x_2 W_γ + b_γ) ∘ (x_1 W + b) + x_2 W_β + b_β
    ```

    If the second modality is missing, the features of the first do not change; if the first is
    missing, its features are zeros.

    Args:
        modalities: two strings: the features and the condition.
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
        features_dim, condition_dim = (
            {features: dims[features]},
            {condition: dims[condition]},
        )
        self.projection = self.make_dense("projection", features_dim, self.output_dim)[features]
        self.scale = self.make_dense("scale", condition_dim, self.output_dim)[condition]
        self.shift = self.make_dense("shift", condition_dim, self.output_dim)[condition]

    def combine(self, inputs, mask):
        features, condition = self.modalities
        hidden = zero_masked(self.projection(inputs[features]), mask[features])
        scale, shift = self.scale(inputs[condition]), self.shift(inputs[condition])
        return hidden + zero_masked(scale * hidden + shift, mask[condition])

import keras

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SumFusion(FusionRule):
    """Sum of projections.

    ```
    y = Σ_m (x_m W_m + b_m)
    ```

    A missing modality adds nothing.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int. The size of the output.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import SumFusion
    >>> fusion = SumFusion(("image", "text"), output_dim=4)
    >>> tuple(fusion({"image": np.ones((2, 8)), "text": np.ones((2, 3))}).shape)
    (2, 4)
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        self.projections = self.dense_each("projection", dims, self.output_dim)

    def combine(self, values, present):
        return sum(
            here * project(value)
            for project, value, here in zip(self.projections, values, present, strict=True)
        )

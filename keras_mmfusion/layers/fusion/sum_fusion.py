import keras

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SumFusion(FusionRule):
    """Sums projections of the modalities.

    ```
    y = Σ_m (x_m W_m + b_m)
    ```

    A missing modality adds nothing. Without `output_dim`, `y = Σ_m x_m`, which needs equal dims.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int or `None`. The size of the output.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`, or `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import SumFusion
    >>> fusion = SumFusion(("image", "text"), output_dim=4)
    >>> tuple(fusion({"image": np.ones((2, 8)), "text": np.ones((2, 3))}).shape)
    (2, 4)
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        self.projections = None
        if self.output_dim is not None:
            self.projections = self.make_dense("projection", dims, self.output_dim)
        elif len(set(dims.values())) > 1:
            raise ValueError(
                f"{type(self).__name__}: without `output_dim` the dims of the modalities must be "
                f"equal. Received: {dims}. Pass `output_dim` to project them."
            )

    def project(self, inputs):
        """Projects each modality to the space of the sum."""
        if self.projections is None:
            return inputs
        return {name: self.projections[name](x) for name, x in inputs.items()}

    def combine(self, inputs, mask):
        projected = self.project(inputs)
        first, *others = [zero_masked(x, mask[name]) for name, x in projected.items()]
        return sum(others, start=first)

    def compute_output_shape(self, inputs_shape):
        batch_size, dim = inputs_shape[self.modalities[0]]
        return batch_size, self.output_dim or dim

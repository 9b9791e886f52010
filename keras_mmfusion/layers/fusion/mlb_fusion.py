import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MLBFusion(BilinearFusion):
    """Multimodal low-rank bilinear pooling (MLB).

    ```
    y = (tanh(x_1 U + u) ∘ tanh(x_2 V + v)) P + b
    ```

    The factor of a missing modality is ones.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the output.
        rank: int. The size of the joint space in which the two are multiplied.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import MLBFusion
    >>> fusion = MLBFusion(("image", "question"), output_dim=4, rank=16)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Kim et al., "Hadamard Product for Low-rank Bilinear Pooling", 2017, equation 8.
    """

    def __init__(self, modalities, output_dim, rank=256, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.rank = check_integer(self, "rank", rank)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.rank, activation="tanh")
        self.output_dense = self.make_output(self.rank)

    def combine(self, inputs, mask):
        factors = self.compute_factors(self.projections, inputs, mask)
        return self.output_dense(ops.multiply(*factors))

    def get_config(self):
        return {**super().get_config(), "rank": self.rank}

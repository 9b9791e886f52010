import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MutanFusion(BilinearFusion):
    """MUTAN: bilinear fusion by a Tucker decomposition whose core has slices of low rank.

    ```
    h_m = tanh(x_m W_m + b_m)
    y = (Σ_r (h_1 M_r + m_r) ∘ (h_2 N_r + n_r)) P + b
    ```

    The factor of a missing modality is ones.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the output.
        hidden_dim: int. The size of `h_m`.
        core_dim: int. The size of the core's output, before `P`.
        rank: int. The number of products `r`.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import MutanFusion
    >>> fusion = MutanFusion(("image", "question"), output_dim=4, hidden_dim=8, core_dim=8)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Ben-younes et al., "MUTAN: Multimodal Tucker Fusion for Visual Question Answering", 2017,
        equations 7 to 10.
    """

    def __init__(self, modalities, output_dim, hidden_dim=128, core_dim=128, rank=5, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.hidden_dim = check_integer(self, "hidden_dim", hidden_dim)
        self.core_dim = check_integer(self, "core_dim", core_dim)
        self.rank = check_integer(self, "rank", rank)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.hidden_dim, activation="tanh")
        hidden = dict.fromkeys(dims, self.hidden_dim)
        self.core = self.make_dense("core", hidden, self.rank * self.core_dim)
        self.output_dense = self.make_output(self.core_dim)

    def combine(self, inputs, mask):
        hidden = {name: self.projections[name](x) for name, x in inputs.items()}
        product = ops.multiply(*self.compute_factors(self.core, hidden, mask))
        product = ops.reshape(product, (-1, self.rank, self.core_dim))
        return self.output_dense(ops.sum(product, axis=1))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "core_dim": self.core_dim,
            "rank": self.rank,
        }

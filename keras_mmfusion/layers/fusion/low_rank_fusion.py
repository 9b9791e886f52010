import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LowRankFusion(FusionRule):
    """Low-rank multimodal fusion (LMF): `TensorFusion` with a weight tensor of low rank.

    ```
    y = Σ_r w_r (∘_m [x_m; 1] W_m⁽ʳ⁾) + b
    ```

    where `∘` is the elementwise product over the modalities. The product tensor is not computed.
    A missing modality contributes only its 1.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int. The size of the output.
        rank: int. The number of factors `r`.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import LowRankFusion
    >>> fusion = LowRankFusion(("image", "text"), output_dim=4, rank=2)
    >>> tuple(fusion({"image": np.ones((2, 8)), "text": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", 2018,
        equation 6; the weights `w` and the bias `b` are those of the authors' code.
    """

    def __init__(self, modalities, output_dim, rank=4, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.rank = check_integer(self, "rank", rank)

    def build_rule(self, dims):
        # One product computes the factors of a modality for all ranks. The weights of the 1 are
        # initialized to ones, so that a missing modality initially leaves the others unchanged.
        self.factors = self.make_dense(
            "factor", dims, self.rank * self.output_dim, bias_initializer="ones"
        )
        self.rank_weights = self.add_weight(
            (self.rank, 1), initializer="glorot_uniform", name="rank_weights"
        )
        self.bias = self.add_weight((self.output_dim,), initializer="zeros", name="bias")

    def combine(self, inputs, mask):
        product = 1.0
        for name, x in inputs.items():
            product = product * self.factors[name](x)
        product = ops.reshape(product, (-1, self.rank, self.output_dim))
        weights = ops.cast(self.rank_weights, product.dtype)
        return ops.sum(weights * product, axis=1) + ops.cast(self.bias, product.dtype)

    def get_config(self):
        return {**super().get_config(), "rank": self.rank}

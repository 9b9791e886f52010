import keras
from keras import ops

from keras_mmfusion._checks import check_divisor, check_integer
from keras_mmfusion.layers.fusion.bilinear_fusion import (
    BilinearFusion,
    normalize_power,
)
from keras_mmfusion.layers.masks import fill_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BlockFusion(BilinearFusion):
    """BLOCK: bilinear fusion with a block-diagonal core whose slices have low rank.

    ```
    h_m = x_m W_m + b_m, cut into C chunks h_m^c
    z^c = Σ_r (h_1^c M_r^c + m_r^c) ∘ (h_2^c N_r^c + n_r^c)
    y = [normalize(sign(z^1) √|z^1|); ...; normalize(sign(z^C) √|z^C|)] P + b
    ```

    The factor of a missing modality is ones. Roots and lengths are computed in float32.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the output.
        hidden_dim: int. The size of `h_m`.
        chunks: int. The number `C` of blocks; must divide `hidden_dim`.
        rank: int. The number of products `r` in a block.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import BlockFusion
    >>> fusion = BlockFusion(("image", "question"), output_dim=4, hidden_dim=16, chunks=4)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Ben-younes et al., "BLOCK: Bilinear Superdiagonal Fusion for Visual Question Answering and
        Visual Relationship Detection", 2019, equations 5 to 7; the normalization of each chunk
        is that of the authors' code.
    """

    def __init__(self, modalities, output_dim, hidden_dim=256, chunks=16, rank=5, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.hidden_dim = check_integer(self, "hidden_dim", hidden_dim)
        self.chunks = check_integer(self, "chunks", chunks)
        self.rank = check_integer(self, "rank", rank)
        check_divisor(self, "chunks", chunks, "hidden_dim", hidden_dim)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.hidden_dim)
        size = self.hidden_dim // self.chunks
        self.cores = {
            name: (
                self.add_weight(
                    (self.chunks, size, self.rank * size), "glorot_uniform", name=f"{name}_core"
                ),
                self.add_weight((self.chunks, self.rank * size), "zeros", name=f"{name}_core_bias"),
            )
            for name in dims
        }
        self.output_dense = self.make_output(self.hidden_dim)

    def combine(self, inputs, mask):
        size = self.hidden_dim // self.chunks
        factors = []
        for name, x in inputs.items():
            kernel, bias = (ops.cast(weight, self.compute_dtype) for weight in self.cores[name])
            hidden = ops.reshape(self.projections[name](x), (-1, self.chunks, size))
            factor = ops.einsum("bcs,cst->bct", hidden, kernel) + bias
            factors.append(fill_masked(factor, mask[name], 1.0))
        product = ops.reshape(ops.multiply(*factors), (-1, self.chunks, self.rank, size))
        pooled = normalize_power(ops.sum(product, axis=2))
        return self.output_dense(ops.reshape(pooled, (-1, self.hidden_dim)))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "chunks": self.chunks,
            "rank": self.rank,
        }

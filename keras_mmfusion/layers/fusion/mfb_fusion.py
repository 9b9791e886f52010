import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.fusion.bilinear_fusion import (
    BilinearFusion,
    normalize_power,
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MFBFusion(BilinearFusion):
    """Multimodal factorized bilinear pooling (MFB), or with `order` above 1 its cascade (MFH).

    With `p_0 = 1`, for `i = 1 ... order`:

    ```
    p_i = p_{i-1} ∘ dropout((x_1 U_i + u_i) ∘ (x_2 V_i + v_i))
    z_i = normalize(sign(s_i) √|s_i|),   s_i = sums of `factors` neighboring entries of p_i
    y = [z_1; ...; z_order]
    ```

    The factor of a missing modality is ones. Roots and lengths are computed in float32.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of each `z_i`.
        factors: int. The number of products that are summed to one entry.
        order: int. The number of blocks of the cascade.
        dropout: float in [0, 1). Dropout rate of the products.

    Call arguments:
        inputs, mask: see `FusionRule`.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, order * output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import MFBFusion
    >>> fusion = MFBFusion(("image", "question"), output_dim=4, order=2)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 8)

    Reference:
        MFB: Yu et al., "Multi-modal Factorized Bilinear Pooling with Co-Attention Learning for
        Visual Question Answering", 2017, equation 3 and section 3; MFH: Yu et al., "Beyond
        Bilinear: Generalized Multimodal Factorized High-order Pooling", 2018, equations 9 to 11.
    """

    def __init__(self, modalities, output_dim, factors=5, order=1, dropout=0.0, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.factor_count = check_integer(self, "factors", factors)
        self.order = check_integer(self, "order", order)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build_rule(self, dims):
        units = self.output_dim * self.factor_count
        self.blocks = [self.make_dense(f"projection_{i}", dims, units) for i in range(self.order)]

    def call(self, inputs, mask=None, training=None):
        inputs, mask = self.prepare_inputs(inputs, mask)
        product, pooled = None, []
        for projections in self.blocks:
            expanded = ops.multiply(*self.compute_factors(projections, inputs, mask))
            expanded = self.dropout_layer(expanded, training=training)
            product = expanded if product is None else product * expanded
            neighbors = ops.reshape(product, (-1, self.output_dim, self.factor_count))
            pooled.append(normalize_power(ops.sum(neighbors, axis=-1)))
        return ops.concatenate(pooled, axis=-1)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[self.modalities[0]][0], self.order * self.output_dim

    def get_config(self):
        return {
            **super().get_config(),
            "factors": self.factor_count,
            "order": self.order,
            "dropout": self.dropout,
        }

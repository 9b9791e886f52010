import math

import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TensorFusion(FusionRule):
    """Tensor fusion network (TFN): the products of all combinations of features.

    ```
    z = [x_1; 1] ⊗ ... ⊗ [x_n; 1]
    y = flatten(z) W + b
    ```

    `z` has `(d_1 + 1) ... (d_n + 1)` entries: project large modalities to fewer dims, or use
    `LowRankFusion`. A missing modality contributes only its 1, so that the products of the others
    remain.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int or `None`. The size of the output; `None` returns `flatten(z)`.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`, or `(batch, (d_1 + 1) ... (d_n + 1))`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import TensorFusion
    >>> fusion = TensorFusion(("image", "text"))
    >>> fused = fusion({"image": np.array([[2.0]]), "text": np.array([[3.0, 5.0]])})
    >>> keras.ops.convert_to_numpy(fused).tolist()
    [[6.0, 10.0, 2.0, 3.0, 5.0, 1.0]]

    Reference:
        Zadeh et al., "Tensor Fusion Network for Multimodal Sentiment Analysis", 2017, equations
        1 and 2.
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        if self.output_dim is not None:
            self.output_dense = Dense(self.output_dim, dtype=self.dtype_policy, name="output")
            self.output_dense.build((None, math.prod(dim + 1 for dim in dims.values())))

    def combine(self, inputs, mask):
        one = product = ops.ones_like(inputs[self.modalities[0]][:, :1])
        for x in inputs.values():
            factor = ops.concatenate([x, one], axis=-1)
            size = product.shape[-1] * factor.shape[-1]
            product = ops.expand_dims(product, -1) * ops.expand_dims(factor, 1)
            product = ops.reshape(product, (-1, size))
        return product if self.output_dim is None else self.output_dense(product)

    def compute_output_shape(self, inputs_shape):
        shapes = [inputs_shape[name] for name in self.modalities]
        return shapes[0][0], self.output_dim or math.prod(shape[1] + 1 for shape in shapes)

import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ConcatFusion(FusionRule):
    """Concatenates the modalities.

    ```
    y = [x_1; ...; x_n] W + b
    ```

    A missing modality is replaced by zeros. Without `output_dim`, `y = [x_1; ...; x_n]`.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int or `None`. The size of the output.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`, or `(batch, sum of the dims)`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import ConcatFusion
    >>> fusion = ConcatFusion(("image", "text"))
    >>> fused = fusion({"text": np.ones((1, 1)), "image": np.zeros((1, 2))})
    >>> keras.ops.convert_to_numpy(fused).tolist()
    [[0.0, 0.0, 1.0]]

    Reference:
        Ngiam et al., "Multimodal Deep Learning", 2011, section 3 (shallow bimodal input).
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        if self.output_dim is not None:
            self.output_dense = Dense(self.output_dim, dtype=self.dtype_policy, name="output")
            self.output_dense.build((None, sum(dims.values())))

    def combine(self, inputs, mask):
        joined = ops.concatenate(list(inputs.values()), axis=-1)
        return joined if self.output_dim is None else self.output_dense(joined)

    def compute_output_shape(self, inputs_shape):
        shapes = [inputs_shape[name] for name in self.modalities]
        return shapes[0][0], self.output_dim or sum(shape[1] for shape in shapes)

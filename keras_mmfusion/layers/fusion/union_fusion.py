import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.masks import joined_mask


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class UnionFusion(TokenFusionRule):
    """The union of all tokens, each modality's projected to one size, one after another.

    ```
    y = [x_1 W_1 + b_1; ...; x_n W_n + b_n]        the tokens end to end
    ```

    Every token stays what it was: for fusion that happens elsewhere, as in `GraphFusion`, or in
    layers that come behind.

    Args:
        modalities: sequence of strings, see `TokenFusionRule`.
        output_dim: int. The size of the tokens.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, all tokens, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import UnionFusion
    >>> fusion = UnionFusion(("image", "text"), output_dim=8)
    >>> tuple(fusion({"image": np.ones((2, 9, 3)), "text": np.ones((2, 5, 6))}).shape)
    (2, 14, 8)

    Reference:
        As the input of a Transformer that fuses: Chen et al., "UNITER: UNiversal Image-TExt
        Representation Learning", 2020, section 3.1.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        check_integer(self, "output_dim", output_dim)

    def build_rule(self, dims):
        self.projections = self.dense_each("projection", dims, self.output_dim)

    def combine(self, values, present):
        tokens = [apply_to_rows(*each) for each in zip(self.projections, values, strict=True)]
        return ops.concatenate(tokens, axis=1), joined_mask(values, present)

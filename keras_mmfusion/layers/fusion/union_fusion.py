import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.masks import concatenate_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class UnionFusion(TokenFusionRule):
    """Projects the tokens of all modalities to one size and concatenates them.

    ```
    y = [x_1 W_1 + b_1; ...; x_n W_n + b_n]        concatenated along the tokens
    ```

    Tokens do not interact. This suits layers that fuse elsewhere, such as `GraphFusion` or layers
    that follow.

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
        As the input of a Transformer: Chen et al., "UNITER: UNiversal Image-TExt Representation
        Learning", 2020, section 3.1.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        check_integer(self, "output_dim", output_dim)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim)

    def combine(self, inputs, mask):
        tokens = [apply_to_rows(self.projections[name], x) for name, x in inputs.items()]
        return ops.concatenate(tokens, axis=1), concatenate_masks(inputs.values(), mask.values())

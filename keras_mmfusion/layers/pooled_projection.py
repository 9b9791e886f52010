import keras
from keras import ops

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense

POOLING = ("first", "last")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PooledProjection(keras.layers.Layer):
    """Projects the first or the last token to a vector, as in CLIP.

    ```
    output = W x_first + b     or     W x_last + b
    ```

    The last token is the one before the padding at the end.

    Args:
        output_dim: int or `None`. The size of the vector; `None` to return the token itself.
        pooling: string. `"first"`, such as the class token of an image, or `"last"`, such as the
            end token of a text.
        use_bias: bool. Whether the projection has a bias.

    Call arguments:
        inputs: float tensor `(batch, tokens, dim)`.
        mask: bool tensor `(batch, tokens)`, `True` for a real token. Only used for `"last"`; a
            text without any token counts as a token of zeros.

    Output shape:
        `(batch, output_dim)`, not normalized.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import PooledProjection
    >>> tokens = np.array([[[1.0], [2.0], [3.0]]])
    >>> pool = PooledProjection(None, "last")
    >>> float(pool(tokens, mask=np.array([[True, True, False]]))[0, 0])
    2.0

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
        2021, section 2.4.
    """

    def __init__(self, output_dim, pooling="first", use_bias=False, **kwargs):
        super().__init__(**kwargs)
        if output_dim is not None:
            output_dim = check_integer(self, "output_dim", output_dim)
        self.output_dim = output_dim
        self.pooling = check_choice(self, "pooling", pooling, POOLING)
        self.use_bias = bool(use_bias)
        self.dense = None
        if output_dim is not None:
            self.dense = Dense(
                output_dim, use_bias=self.use_bias, dtype=self.dtype_policy, name="projection"
            )
        self.supports_masking = True

    def build(self, inputs_shape):
        if self.dense is not None:
            self.dense.build((None, inputs_shape[-1]))

    def call(self, inputs, mask=None):
        tokens = cast_input(self, inputs)
        if self.pooling == "first":
            pooled = tokens[:, 0]
        elif mask is None:
            pooled = tokens[:, -1]
        else:
            pooled = _take_last(tokens, ops.cast(mask, "bool"))
        return pooled if self.dense is None else self.dense(pooled)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[0], self.output_dim or inputs_shape[-1]

    def get_config(self):
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "pooling": self.pooling,
            "use_bias": self.use_bias,
        }


def _take_last(tokens, mask):
    """The last token of each row whose mask is true, or zeros: `(batch, dim)`."""
    positions = ops.arange(ops.shape(tokens)[1], dtype="int32")
    last = ops.max(ops.where(mask, positions, -1), axis=1, keepdims=True)
    # By selection, not by a product, so that NaN in other tokens has no effect.
    return ops.sum(ops.where((positions == last)[..., None], tokens, 0), axis=1)

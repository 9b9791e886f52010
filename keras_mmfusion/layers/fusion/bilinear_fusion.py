from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule
from keras_mmfusion.layers.masks import fill_masked


class BilinearFusion(FusionRule):
    """Base class of bilinear rules, which multiply the projections of two modalities.

    The factor of a missing modality is ones, so that the other factor does not change.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the output.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        if len(self.modalities) != 2:
            raise ValueError(
                f"{type(self).__name__}: `modalities` must be two. Received: {modalities!r}. For "
                "more modalities, use `LowRankFusion`, or fuse two at a time."
            )

    def compute_factors(self, projections, inputs, mask):
        """Projects both modalities, and replaces missing ones by ones."""
        return [fill_masked(projections[name](x), mask[name], 1.0) for name, x in inputs.items()]

    def make_output(self, dim):
        dense = Dense(self.output_dim, dtype=self.dtype_policy, name="output")
        dense.build((None, dim))
        return dense


def normalize_power(x):
    """Normalizes `sign(x) √|x|` to unit length, in float32; the output has the dtype of `x`.

    A constant under the root bounds its gradient near zero. The squared length of the roots is
    the sum of `|x|`.
    """
    x32 = ops.cast(x, "float32")
    sizes = ops.abs(x32)
    length = ops.sqrt(ops.sum(sizes, axis=-1, keepdims=True) + 1e-12)
    return ops.cast(ops.sign(x32) * ops.sqrt(sizes + 1e-10) / length, x.dtype)

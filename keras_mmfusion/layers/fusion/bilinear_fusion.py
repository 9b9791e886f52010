from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule
from keras_mmfusion.layers.masks import ones_if_missing


class BilinearFusion(FusionRule):
    """What the bilinear rules share: two modalities, whose projections multiply.

    The factor of a missing modality is a one, so that the other's stays as it is.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the output.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        if len(self.modalities) != 2:
            raise ValueError(
                f"{type(self).__name__}: `modalities` must be two. Received: {modalities!r}. Fuse "
                "more by `LowRankFusion`, or two at a time."
            )

    def factors(self, projections, values, present):
        """The two projections, ones where a modality is missing."""
        return [
            ones_if_missing(project(value), here)
            for project, value, here in zip(projections, values, present, strict=True)
        ]

    def output_layer(self, dim):
        dense = Dense(self.output_dim, dtype=self.dtype_policy, name="output")
        dense.build((None, dim))
        return dense


def power_normalized(x):
    """`x` with `sign(x) √|x|` for each entry, then of length 1; in float32, in `x`'s dtype.

    The root's slope is bounded near zero, where it has none, by a constant under the root. The
    squares of the roots, whose sum is the length's, are `|x|`.
    """
    x32 = ops.cast(x, "float32")
    sizes = ops.abs(x32)
    length = ops.sqrt(ops.sum(sizes, axis=-1, keepdims=True) + 1e-12)
    return ops.cast(ops.sign(x32) * ops.sqrt(sizes + 1e-10) / length, x.dtype)

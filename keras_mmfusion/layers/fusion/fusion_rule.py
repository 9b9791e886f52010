from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.multimodal_layer import MultimodalLayer


class FusionRule(MultimodalLayer):
    """What the combination rules share: vectors by modality, in a fixed order, some missing.

    A rule of your own implements `build_rule(dims)`, which makes the weights, and
    `combine(values, present)`, the formula.

    Args:
        modalities: sequence of strings. The names of the modalities, in the rule's order.
        output_dim: int or `None`. The size of the output, if the rule has one to choose.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, dim)`; dims may differ. `None`, or no
            entry, for a modality that the whole batch is without; in the first call, or in the
            functional model, every modality needs its entry.
        mask: dict, modality -> bool tensor `(batch,)`, `False` where a sample is without the
            modality. No entry, or `None`, where none is missing. Whatever stands in the place
            of a missing vector, NaN included, never reaches the output.

    Raises:
        ValueError: if a modality is unknown or has no dim, if a mask has another shape, or if
            all modalities are `None`.
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(modalities, **kwargs)
        self.output_dim = (
            None if output_dim is None else check_integer(self, "output_dim", output_dim)
        )

    def build(self, inputs_shape):
        self.build_rule(self.read_dims(inputs_shape))

    def build_rule(self, dims):
        """Makes the weights. `dims` is a dict, modality -> size of its vectors."""

    def combine(self, values, present):
        """The formula.

        Args:
            values: list of tensors `(batch, dim)` in the order of the modalities, zeros where a
                modality is missing.
            present: list of tensors `(batch, 1)`: 1, or 0 where it is missing. `None` for one
                that no sample is without.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def call(self, inputs, mask=None):
        return self.combine(*self._unpack(inputs, mask))

    def _unpack(self, inputs, mask):
        values, present = self.read(inputs, mask)
        return values, [
            None if here is None else ops.cast(ops.expand_dims(here, -1), self.compute_dtype)
            for here in present
        ]

    def shares(self, inputs, mask=None):
        """How much each modality has to do with the output, for each sample.

        Rules that weigh modalities by content give these weights. For the others a share is how
        far the output moves without the modality, as part of the sum of that:

        ```
        s_m = ‖y - y_without_m‖ / Σ_k ‖y - y_without_k‖
        ```

        Args:
            inputs, mask: as for the call.

        Returns:
            Float32 tensor `(batch, modalities)`, that sums to 1; zeros where a modality is
            missing, and all zeros where nothing moves the output.
        """
        _, present = self.gather(inputs, mask)
        mask = dict(zip(self.modalities, present, strict=True))
        return leave_one_out(lambda mask: self.call(inputs, mask), mask)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[self.modalities[0]][0], self.output_dim

    def get_config(self):
        return {**super().get_config(), "output_dim": self.output_dim}


def leave_one_out(fuse, mask):
    """Shares by what each modality moves, see `FusionRule.shares`.

    Args:
        fuse: function of a mask dict that returns a vector of each sample, `(batch, dim)`.
        mask: dict, modality -> bool tensor, what is present.
    """
    whole = ops.cast(fuse(mask), "float32")
    moves = []
    for name, here in mask.items():
        without = ops.cast(fuse({**mask, name: ops.zeros_like(here)}), "float32")
        moves.append(_length(whole - without))
    return normalized_shares(ops.stack(moves, axis=-1))


def normalized_shares(amounts):
    """Non-negative amounts `(batch, modalities)`, each over their sum, or 0 where that is 0."""
    total = ops.sum(amounts, axis=-1, keepdims=True)
    return amounts / ops.where(total > 0, total, 1.0)


def _length(x):
    """Lengths of the rows, with a gradient of zero, not NaN, where they are zero."""
    squares = ops.sum(ops.square(x), axis=-1)
    longer = squares > 0
    return ops.where(longer, ops.sqrt(ops.where(longer, squares, 1.0)), 0.0)

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.masks import ensure_masks
from keras_mmfusion.layers.multimodal_layer import MultimodalLayer


class FusionRule(MultimodalLayer):
    """Base class of rules that combine one vector of each modality.

    A subclass implements `build_rule(dims)`, which creates the weights, and
    `combine(inputs, mask)`, the formula. Its class should be registered with
    `keras.saving.register_keras_serializable`, so that models with it can be loaded.

    Args:
        modalities: sequence of strings. The names of the modalities, in the rule's order.
        output_dim: int or `None`. The size of the output; `None` if the rule determines it.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, dim)`; dims may differ. `None`, or no
            entry, for a modality that is missing from the whole batch. The first call, or a
            functional model, needs all modalities.
        mask: dict, modality -> bool tensor `(batch,)`, `False` where a sample lacks the modality.
            `None`, or no entry, if no sample lacks it. Masked vectors, NaN included, do not
            affect the output.

    Raises:
        ValueError: if a modality is unknown or its dim is not known, if a mask has the wrong
            shape, or if all modalities are missing.
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(modalities, **kwargs)
        if output_dim is not None:
            output_dim = check_integer(self, "output_dim", output_dim)
        self.output_dim = output_dim

    def build(self, inputs_shape):
        self.build_rule(self.infer_dims(inputs_shape))

    def build_rule(self, dims):
        """Creates the weights. `dims` is a dict, modality -> size of its vectors."""

    def combine(self, inputs, mask):
        """The formula.

        Args:
            inputs: dict, modality -> tensor `(batch, dim)` in the order of the modalities, zeros
                where a modality is missing.
            mask: dict, modality -> bool tensor `(batch,)`, `False` where the modality is missing,
                or `None` if no sample lacks it.

        Returns:
            Tensor `(batch, output_dim)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def call(self, inputs, mask=None):
        return self.combine(*self.prepare_inputs(inputs, mask))

    def compute_shares(self, inputs, mask=None):
        """The share of each modality in the output, for each sample.

        Rules that weight modalities by content return these weights. For the others, a share is
        the normalized change of the output if the modality is removed:

        ```
        s_m = ‖y - y_without_m‖ / Σ_k ‖y - y_without_k‖
        ```

        Args:
            inputs, mask: as for the call.

        Returns:
            Float32 tensor `(batch, modalities)` that sums to 1; 0 for missing modalities, and all
            zeros if no modality affects the output.
        """
        inputs, mask = self.prepare_inputs(inputs, mask)
        return leave_one_out(lambda mask: self.call(inputs, mask), ensure_masks(inputs, mask))

    def compute_output_shape(self, inputs_shape):
        if self.output_dim is None:
            return self.trace_output_shape(inputs_shape)
        return inputs_shape[self.modalities[0]][0], self.output_dim

    def trace_output_shape(self, inputs_shape):
        """Computes the output shape of a built rule by a symbolic call."""
        if not self.built:
            raise ValueError(
                f"{type(self).__name__}: without `output_dim`, the output shape is known only "
                "after the rule is built. Call the rule, or pass `output_dim`."
            )
        inputs = {
            name: keras.KerasTensor(inputs_shape[name], dtype=self.compute_dtype)
            for name in self.modalities
        }
        return tuple(keras.Operation.compute_output_spec(self, inputs).shape)

    def get_config(self):
        return {**super().get_config(), "output_dim": self.output_dim}


def leave_one_out(fuse, mask):
    """Computes shares by removing one modality at a time; see `FusionRule.compute_shares`.

    Args:
        fuse: function of a mask dict that returns a vector of each sample, `(batch, dim)`.
        mask: dict, modality -> bool tensor.

    Returns:
        Float32 tensor `(batch, modalities)`.
    """
    fused = ops.cast(fuse(mask), "float32")
    changes = []
    for name in mask:
        without = ops.cast(fuse({**mask, name: ops.zeros_like(mask[name])}), "float32")
        changes.append(_norm(fused - without))
    return normalize_shares(ops.stack(changes, axis=-1))


def normalize_shares(amounts):
    """Divides non-negative amounts `(batch, modalities)` by their sum; zeros stay zeros."""
    total = ops.sum(amounts, axis=-1, keepdims=True)
    return amounts / ops.where(total > 0, total, 1.0)


def _norm(x):
    """Euclidean norm of the rows. The gradient of a row of zeros is zero, not NaN."""
    squares = ops.sum(ops.square(x), axis=-1)
    positive = squares > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, squares, 1.0)), 0.0)

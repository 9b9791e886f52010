import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.encoders.standardization import Standardization
from keras_mmfusion.encoders.vector_encoder import VectorEncoder
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FeatureGroupEncoder(keras.layers.Layer):
    """Encodes thousands of features as one token for each group, such as groups of genes.

    ```
    z   = (x - μ) / σ, and 0 where x is NaN
    y_g = gelu(... z_g ...) W_g + b_g     the MLP of group g, of its features z_g
    ```

    `adapt` computes `μ` and `σ`, which are initially 0 and 1. A missing value is replaced by the
    mean. The MLPs are those of `VectorEncoder`.

    Args:
        dim: int. The size of the tokens.
        groups: sequence with a sequence of ints for each group: the indices of its features.
            Groups may overlap; features of no group are ignored.
        hidden_dims: sequence of ints. The units of the hidden layers of each group.
        dropout: float in [0, 1). Dropout rate of the input of each dense layer.

    Call arguments:
        inputs: float tensor `(batch, features)`, NaN where a value is missing.
        mask: bool tensor `(batch,)`, `False` where all features are missing.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, groups, dim)`, zeros where the mask is `False`.

    Raises:
        ValueError: if a group is empty, an index is not a feature, or another argument is invalid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import FeatureGroupEncoder
    >>> expression = np.random.default_rng(0).normal(5, 2, (20, 7))
    >>> encoder = FeatureGroupEncoder(dim=4, groups=[[0, 1, 2], [2, 3], [4, 5, 6]])
    >>> encoder.adapt(expression)
    >>> tuple(encoder(expression).shape)
    (20, 3, 4)

    Reference:
        Chen et al., "Multimodal Co-Attention Transformer for Survival Prediction in Gigapixel
        Whole Slide Images", 2021, section 3.1, for genes by functional category.
    """

    allows_nan = True  # NaN is a missing value.

    def __init__(self, dim, groups, hidden_dims=(), dropout=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.groups = tuple(
            tuple(check_integer(self, "groups", index, minimum=0) for index in group)
            for group in groups
        )
        if not self.groups or not all(self.groups):
            raise ValueError(
                "FeatureGroupEncoder: `groups` must have at least one group, each with at least "
                f"one index. Received: {[list(group[:3]) for group in self.groups]}"
            )
        self.hidden_dims = tuple(hidden_dims)
        self.dropout = check_fraction(self, "dropout", dropout)
        policy = self.dtype_policy
        self.standardization = Standardization(dtype=policy, name="standardization")
        self.encoders = [
            VectorEncoder(dim, hidden_dims, dropout, dtype=policy, name=f"group_{index}")
            for index in range(len(self.groups))
        ]
        self.supports_masking = True

    def adapt(self, data, mask=None):
        """Computes mean and standard deviation of the features; see `Standardization.adapt`."""
        self.standardization.adapt(data, mask)

    def build(self, inputs_shape):
        features = inputs_shape[-1]
        highest = max(max(group) for group in self.groups)
        if len(inputs_shape) != 2 or features is None or highest >= features:
            raise ValueError(
                "FeatureGroupEncoder: `inputs` must have shape (batch, features) with at least "
                f"{highest + 1} features, the highest index of `groups`. Received shape: "
                f"{tuple(inputs_shape)}"
            )
        if not self.standardization.built:
            self.standardization.build(inputs_shape)
        for encoder, group in zip(self.encoders, self.groups, strict=True):
            encoder.build((inputs_shape[0], len(group)))

    def call(self, inputs, mask=None, training=None):
        x = ops.cast(inputs, "float32")
        known = ops.logical_not(ops.isnan(x))
        standardized = self.standardization(ops.where(known, x, 0.0))
        x = ops.where(known, standardized, ops.zeros_like(standardized))
        tokens = [
            encoder(ops.take(x, ops.convert_to_tensor(group, "int32"), axis=1), training=training)
            for encoder, group in zip(self.encoders, self.groups, strict=True)
        ]
        return zero_masked(ops.stack(tokens, axis=1), mask)

    def compute_mask(self, inputs, mask=None):
        """Returns a mask of the tokens, bool `(batch, groups)`, or `None`."""
        if mask is None:
            return None
        return ops.repeat(ops.expand_dims(mask, 1), len(self.groups), axis=1)

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape[0], len(self.groups), self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "groups": [list(group) for group in self.groups],
            "hidden_dims": list(self.hidden_dims),
            "dropout": self.dropout,
        }

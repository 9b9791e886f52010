import keras

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.encoders.standardization import Standardization
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VectorEncoder(keras.layers.Layer):
    """Encodes vectors, such as pooled features, by standardization and an MLP.

    ```
    h = (x - μ) / σ
    h = gelu(h W_i + b_i)     for each hidden layer
    y = h W + b
    ```

    `adapt` computes `μ` and `σ`, which are initially 0 and 1. Tokens are encoded independently.

    Args:
        dim: int. The size of the output.
        hidden_dims: sequence of ints. The units of the hidden layers.
        dropout: float in [0, 1). Dropout rate of the input of each dense layer.

    Call arguments:
        inputs: float tensor `(batch, features)` or `(batch, tokens, features)`.
        mask: bool tensor `(batch,)` or `(batch, tokens)`. Masked vectors, NaN included, are
            replaced by zeros.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, dim)` or `(batch, tokens, dim)`.

    Raises:
        ValueError: if a size is not a positive integer, or `dropout` is not in [0, 1).

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VectorEncoder
    >>> pitch = np.random.default_rng(0).normal(180, 40, (100, 73))
    >>> encoder = VectorEncoder(32, hidden_dims=(64,))
    >>> encoder.adapt(pitch)
    >>> tuple(encoder(pitch[:2]).shape)
    (2, 32)
    """

    def __init__(self, dim, hidden_dims=(), dropout=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.hidden_dims = tuple(check_integer(self, "hidden_dims", size) for size in hidden_dims)
        self.dropout = check_fraction(self, "dropout", dropout)
        policy = self.dtype_policy
        self.standardization = Standardization(dtype=policy, name="standardization")
        self.dropout_layer = Dropout(dropout, dtype=policy, name="dropout")
        self.hidden = [
            keras.layers.Dense(units, activation="gelu", dtype=policy, name=f"hidden_{index}")
            for index, units in enumerate(self.hidden_dims)
        ]
        self.output_dense = keras.layers.Dense(dim, dtype=policy, name="output")
        self.supports_masking = True

    def adapt(self, data, mask=None):
        """Computes mean and standard deviation of the features; see `Standardization.adapt`."""
        self.standardization.adapt(data, mask)

    def build(self, inputs_shape):
        if len(inputs_shape) not in (2, 3) or inputs_shape[-1] is None:
            raise ValueError(
                "VectorEncoder: `inputs` must be vectors (batch, features) or tokens (batch, "
                f"tokens, features). Received shape: {tuple(inputs_shape)}"
            )
        if not self.standardization.built:
            self.standardization.build(inputs_shape)
        shape = (*inputs_shape[:-1], inputs_shape[-1])
        for dense in (*self.hidden, self.output_dense):
            dense.build(shape)
            shape = (*shape[:-1], dense.units)

    def call(self, inputs, mask=None, training=None):
        x = self.standardization(zero_masked(inputs, mask))
        for dense in (*self.hidden, self.output_dense):
            x = dense(self.dropout_layer(x, training=training))
        return x

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "hidden_dims": list(self.hidden_dims),
            "dropout": self.dropout,
        }

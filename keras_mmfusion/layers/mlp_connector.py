import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MLPConnector(keras.layers.Layer):
    """Maps each token of an encoder to a token of a language model, by a two-layer perceptron.

    ```
    y = W_2 GELU(W_1 x + b_1) + b_2
    ```

    Args:
        output_dim: int. The size of the embeddings of the language model.
        hidden_dim: int or `None`. The number of hidden units. Defaults to `output_dim`.

    Call arguments:
        tokens: float tensor `(batch, tokens, dim)`.

    Output shape:
        `(batch, tokens, output_dim)`.

    Raises:
        ValueError: if an argument is not a positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import MLPConnector
    >>> tuple(MLPConnector(output_dim=6)(np.zeros((2, 49, 20))).shape)
    (2, 49, 6)

    Reference:
        Liu et al., "Improved Baselines with Visual Instruction Tuning", 2024, section 3.2.
    """

    def __init__(self, output_dim, hidden_dim=None, **kwargs):
        super().__init__(**kwargs)
        self.output_dim = check_integer(self, "output_dim", output_dim)
        if hidden_dim is not None:
            hidden_dim = check_integer(self, "hidden_dim", hidden_dim)
        self.hidden_dim = hidden_dim
        self.hidden = Dense(
            hidden_dim or output_dim, activation="gelu", dtype=self.dtype_policy, name="hidden"
        )
        self.output_dense = Dense(output_dim, dtype=self.dtype_policy, name="output")

    def build(self, tokens_shape):
        self.hidden.build((None, tokens_shape[-1]))
        self.output_dense.build((None, self.hidden.units))

    def call(self, tokens):
        return apply_to_rows(self._map, cast_input(self, tokens))

    def _map(self, rows):
        return self.output_dense(self.hidden(rows))

    def compute_output_shape(self, tokens_shape):
        return (*tokens_shape[:-1], self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "hidden_dim": self.hidden_dim,
        }

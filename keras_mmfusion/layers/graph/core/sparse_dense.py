import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.node_index import cast_index


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SparseDense(keras.layers.Layer):
    """Dense layer for sparse inputs, such as bags of words.

    ```
    Y = σ(dropout(X) W + b),  X given by its nonzero entries
    ```

    Dropout applies to the entries alone, which is equivalent, since zeros stay zeros. Entries are
    treated as edges from columns to rows.

    Args:
        units: int. Size of the output.
        input_dim: int. Number of columns of `X`.
        activation: σ, a name or function. Defaults to none.
        dropout: float. Fraction of the entries to drop during training.
        use_bias: bool.
        kernel_initializer: initializer of `W`.
        kernel_regularizer: regularizer of `W`.
        seed: int or `None`. Seed of the dropout.

    Call arguments:
        index: int tensor `(2, entries)`: rows and columns, in range.
        values: float tensor `(entries,)`.
        num_rows: int. Number of rows of `X`.
        order: int tensor `(2, entries)`, `order_edges(index)`, or `None`. It makes sums faster.
        training: bool. Whether dropout is active.

    Output shape:
        `(num_rows, units)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import SparseDense
    >>> x = np.array([[0, 2, 0], [0, 0, 0], [1, 0, 3]], "float32")
    >>> output = SparseDense(4, input_dim=3)(np.stack(x.nonzero()), x[x.nonzero()], num_rows=3)
    >>> tuple(output.shape)
    (3, 4)
    """

    def __init__(
        self,
        units,
        input_dim,
        activation=None,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = check_integer(self, "units", units)
        self.input_dim = check_integer(self, "input_dim", input_dim)
        self.activation = keras.activations.get(activation)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        self.dropout_layer = Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, index_shape=None, values_shape=None):
        self.kernel = self.add_weight(
            shape=(self.input_dim, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, index, values, num_rows, order=None, training=None):
        index = cast_index("SparseDense", "index", index)
        weights = self.dropout_layer(cast_input(self, values), training=training)
        if order is not None:
            order = (order[1], order[0])
        entries = EdgeList(index[1], index[0], self.input_dim, num_rows, weights, order)
        x = entries.sum(ops.cast(self.kernel, self.compute_dtype))
        return self.activation(x if self.bias is None else x + self.bias)

    def compute_output_spec(self, index, values, num_rows, order=None, training=None):
        return keras.KerasTensor((num_rows, self.units), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "input_dim": self.input_dim,
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "seed": self.seed,
        }

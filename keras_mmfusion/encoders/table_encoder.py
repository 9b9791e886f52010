import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.encoders.standardization import Standardization
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TableEncoder(keras.layers.Layer):
    """Encoder of rows of a table: a token of each column, whose value may be missing.

    ```
    y_j = ((x_j - μ_j) / σ_j) w_j + b_j     a column of numbers
    y_j = E_j[x_j] + b_j                    a column of categories 0 ... n_j - 1
    y_j = p_j                               where x_j is NaN: a learned token of the column
    y_j = Σ_k E_j[k] / n_j + b_j            where x_j is no category of its column
    ```

    `μ` and `σ` are 0 and 1 until `adapt` takes them from data. A category that is none of its
    column's was not there in training: it gets the mean of those that were, and is not taken for a
    value that is missing. Write NaN for that, in place of pandas' code -1, say.

    Args:
        dim: int. The size of the output's tokens.
        columns: sequence, an entry for each column: `None` for numbers, or the number of its
            categories.

    Call arguments:
        inputs: float tensor `(batch, columns)`, NaN where a value is missing.
        mask: bool tensor `(batch,)`, `False` where the whole row is missing. What stands there
            changes nothing.

    Output shape:
        `(batch, columns, dim)`, zeros where the row is missing.

    Raises:
        ValueError: if an argument is no positive integer, or `inputs` has other columns.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import TableEncoder
    >>> patients = np.array([[54.0, 120.0, 1], [71.0, np.nan, 0], [np.nan, 135.0, np.nan]])
    >>> encoder = TableEncoder(dim=8, columns=(None, None, 2))  # age, blood pressure, sex
    >>> encoder.adapt(patients)
    >>> tuple(encoder(patients).shape)
    (3, 3, 8)

    Reference:
        Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", 2021, section 3.3,
        the feature tokenizer; here with a token for what is missing.
    """

    allows_nan = True  # NaN is a missing value.

    def __init__(self, dim, columns, **kwargs):
        # Autocast would round numbers, such as years, before they are standardized.
        super().__init__(autocast=False, **kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.columns = tuple(columns)
        if not self.columns or not all(n is None or (type(n) is int and n > 0) for n in columns):
            raise ValueError(
                "TableEncoder: `columns` must be positive integers or None, for each column. "
                f"Received: {columns!r}"
            )
        self.standardization = Standardization(dtype=self.dtype_policy, name="standardization")
        self.supports_masking = True

    @property
    def _is_number(self):
        return np.array([size is None for size in self.columns])

    def adapt(self, data, mask=None):
        """Takes mean and spread of the columns of numbers from an array `(rows, columns)`."""
        data = np.where(self._is_number, np.asarray(data, "float64"), 0.0)
        self.standardization.adapt(data, mask)

    def build(self, inputs_shape):
        if len(inputs_shape) != 2 or inputs_shape[1] != len(self.columns):
            raise ValueError(
                f"TableEncoder: `inputs` must be (batch, {len(self.columns)}), as `columns` says. "
                f"Received shape: {tuple(inputs_shape)}"
            )
        if not self.standardization.built:
            self.standardization.build(inputs_shape)
        initializer = keras.initializers.RandomUniform(-(self.dim**-0.5), self.dim**-0.5)
        # One row of a table for each category, and one for each column of numbers, its w_j.
        rows = [size or 1 for size in self.columns]
        self.starts = np.cumsum([0, *rows[:-1]]).astype("int32")
        self.values = self.add_weight((sum(rows), self.dim), initializer.clone(), name="values")
        shape = (len(self.columns), self.dim)
        self.bias = self.add_weight(shape, "zeros", name="bias")
        self.missing = self.add_weight(shape, initializer.clone(), name="missing")

    def call(self, inputs, mask=None):
        x = ops.cast(inputs, "float32")
        is_number = self._is_number
        counts = np.array([size or 1 for size in self.columns], "float32")
        whole = ops.equal(x, ops.floor(x))
        is_category = ops.logical_and(whole, ops.logical_and(x >= 0, ops.less(x, counts)))
        there = ops.logical_not(ops.isnan(x))
        known = ops.where(is_number, there, is_category)
        category = ops.where(ops.logical_and(known, ~is_number), x, 0.0)
        rows = ops.add(ops.cast(category, "int32"), self.starts)
        rows = ops.take(self.values, rows, axis=0)
        means = ops.matmul(self._shares_of_rows(), self.values)
        rows, means, bias, missing = (
            ops.cast(each, self.compute_dtype) for each in (rows, means, self.bias, self.missing)
        )
        scale = ops.where(ops.logical_and(known, is_number), self.standardization(x), 1.0)
        scale = ops.expand_dims(ops.cast(scale, self.compute_dtype), -1)
        tokens = ops.where(ops.expand_dims(known, -1), scale * rows, means) + bias
        tokens = ops.where(ops.expand_dims(there, -1), tokens, missing)
        return zero_masked(tokens, mask)

    def _shares_of_rows(self):
        """The matrix that takes the mean of each column's rows of `values`."""
        sizes = [size or 1 for size in self.columns]
        shares = np.zeros((len(sizes), sum(sizes)), "float32")
        for column, (start, size) in enumerate(zip(self.starts, sizes, strict=True)):
            shares[column, start : start + size] = 1 / size
        return shares

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape[0], len(self.columns), self.dim)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "columns": list(self.columns)}

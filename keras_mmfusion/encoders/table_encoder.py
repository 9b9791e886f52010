import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.encoders.standardization import Standardization
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TableEncoder(keras.layers.Layer):
    """Encodes the rows of a table: one token per column, whose value may be missing.

    ```
    y_j = ((x_j - μ_j) / σ_j) w_j + b_j     a numeric column
    y_j = E_j[x_j] + b_j                    a column of categories 0 ... n_j - 1
    y_j = p_j                               where x_j is NaN: a learned token of the column
    y_j = Σ_k E_j[k] / n_j + b_j            where x_j is an unknown category
    ```

    `adapt` computes `μ` and `σ`, which are initially 0 and 1. A category outside
    `0 ... n_j - 1` is unknown, not missing: it gets the mean of the known categories. Missing
    values are NaN, so replace codes such as pandas' -1 by NaN.

    Args:
        dim: int. The size of the tokens.
        columns: sequence with an entry for each column: `None` for a numeric column, or the
            number of categories.

    Call arguments:
        inputs: float tensor `(batch, columns)`, NaN where a value is missing.
        mask: bool tensor `(batch,)`, `False` where the whole row is missing. The values of such
            a row, NaN included, do not affect the output.

    Output shape:
        `(batch, columns, dim)`, zeros where the row is missing.

    Raises:
        ValueError: if an argument is not a positive integer, or `inputs` has another number of
            columns.

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
        the feature tokenizer; here with a token for missing values.
    """

    allows_nan = True  # NaN is a missing value.

    def __init__(self, dim, columns, **kwargs):
        # Autocast would round numbers such as years before they are standardized.
        super().__init__(autocast=False, **kwargs)
        self.dim = check_integer(self, "dim", dim)
        self.columns = tuple(columns)
        if not self.columns or not all(
            n is None or (type(n) is int and n > 0) for n in self.columns
        ):
            raise ValueError(
                "TableEncoder: `columns` must be positive integers or None, one entry for each "
                f"column. Received: {columns!r}"
            )
        self.standardization = Standardization(dtype=self.dtype_policy, name="standardization")
        self.supports_masking = True

    @property
    def _is_number(self):
        return np.array([size is None for size in self.columns])

    def adapt(self, data, mask=None):
        """Computes mean and standard deviation of the numeric columns.

        Args:
            data: array `(rows, columns)`. NaN is ignored.
            mask: bool array `(rows,)`. Rows where it is `False` are ignored.
        """
        data = np.where(self._is_number, np.asarray(data, "float64"), 0.0)
        self.standardization.adapt(data, mask)

    def build(self, inputs_shape):
        if len(inputs_shape) != 2 or inputs_shape[1] != len(self.columns):
            raise ValueError(
                f"TableEncoder: `inputs` must have shape (batch, {len(self.columns)}), the length "
                f"of `columns`. Received shape: {tuple(inputs_shape)}"
            )
        if not self.standardization.built:
            self.standardization.build(inputs_shape)
        initializer = keras.initializers.RandomUniform(-(self.dim**-0.5), self.dim**-0.5)
        # One embedding for each category, and one, w_j, for each numeric column.
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
        is_integer = ops.equal(x, ops.floor(x))
        is_category = ops.logical_and(is_integer, ops.logical_and(x >= 0, ops.less(x, counts)))
        observed = ops.logical_not(ops.isnan(x))
        known = ops.where(is_number, observed, is_category)
        category = ops.where(ops.logical_and(known, ~is_number), x, 0.0)
        index = ops.add(ops.cast(category, "int32"), self.starts)
        embeddings = ops.take(self.values, index, axis=0)
        means = ops.matmul(self._averaging_matrix(), self.values)
        embeddings, means, bias, missing = (
            ops.cast(each, self.compute_dtype)
            for each in (embeddings, means, self.bias, self.missing)
        )
        scale = ops.where(ops.logical_and(known, is_number), self.standardization(x), 1.0)
        scale = ops.expand_dims(ops.cast(scale, self.compute_dtype), -1)
        tokens = ops.where(ops.expand_dims(known, -1), scale * embeddings, means) + bias
        tokens = ops.where(ops.expand_dims(observed, -1), tokens, missing)
        return zero_masked(tokens, mask)

    def _averaging_matrix(self):
        """Matrix `(columns, embeddings)` that averages the embeddings of each column."""
        sizes = [size or 1 for size in self.columns]
        matrix = np.zeros((len(sizes), sum(sizes)), "float32")
        for column, (start, size) in enumerate(zip(self.starts, sizes, strict=True)):
            matrix[column, start : start + size] = 1 / size
        return matrix

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape[0], len(self.columns), self.dim)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "columns": list(self.columns)}

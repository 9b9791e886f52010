import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class Standardization(keras.layers.Layer):
    """Standardizes features to mean 0 and standard deviation 1.

    ```
    y = (x - μ) / σ
    ```

    `adapt` computes `μ` and `σ`, which are initially 0 and 1. The layer computes in float32, so
    that large values do not overflow in half precision; its output has the policy's compute dtype.

    Call arguments:
        inputs: float tensor `(..., features)`.

    Output shape:
        As `inputs`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion.encoders import Standardization
    >>> layer = Standardization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, np.nan], [5.0, 30.0]]))
    >>> keras.ops.convert_to_numpy(layer(np.array([[3.0, 30.0]]))).tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    def build(self, inputs_shape):
        # In half precision a large mean would overflow.
        settings = {"shape": (inputs_shape[-1],), "trainable": False, "autocast": False}
        self.mean = self.add_weight(initializer="zeros", name="mean", **settings)
        self.deviation = self.add_weight(initializer="ones", name="deviation", **settings)

    def adapt(self, data, mask=None):
        """Computes the mean and standard deviation of each feature.

        Args:
            data: array `(..., features)`. NaN is ignored.
            mask: bool array `(...)`. Rows where it is `False` are ignored.
        """
        data = np.asarray(data, "float64")
        rows = data.reshape(-1, data.shape[-1])
        if mask is not None:
            rows = rows[np.asarray(mask, "bool").reshape(-1)]
        known = ~np.isnan(rows)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows, 0.0).sum(axis=0) / counts
        variance = np.where(known, np.square(rows - mean), 0.0).sum(axis=0) / counts
        # Constant features are only centered.
        deviation = np.sqrt(np.where(variance > 1e-12 * (1.0 + mean**2), variance, 1.0))
        if not self.built:
            self.build(data.shape)
            self.built = True
        self.mean.assign(mean)
        self.deviation.assign(deviation)

    def call(self, inputs):
        mean, deviation = ops.cast(self.mean, "float32"), ops.cast(self.deviation, "float32")
        return ops.cast((ops.cast(inputs, "float32") - mean) / deviation, self.compute_dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

"""Export of weights as int8, with floating-point computation."""

import keras
import numpy as np

# Smaller weights are stored in floating point.
SMALLEST = 4096


class Int8Weights:
    """Stores the large weights of a model in separate int8 variables.

    ```
    scale = max |weight| / 127            # for each index of the weight's longest axis
    weight ≈ scale * int8(round(weight / scale))
    ```

    A graph dequantizes them once per call, outside of decoding loops, and then computes in
    floating point. The model itself is unchanged.

    Args:
        model: built Keras model. Requires the TensorFlow backend.

    Example:

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    >>> kernel = model.layers[0].kernel
    >>> weights = Int8Weights(model)
    >>> restored = weights.wrap(lambda: keras.ops.convert_to_numpy(kernel.value))()
    >>> error = np.abs(restored - kernel.numpy()).max()
    >>> bool(0 < error <= np.abs(kernel.numpy()).max() / 254 + 1e-6)
    True

    Reference:
        Symmetric quantization by channels: Krishnamoorthi, "Quantizing Deep Convolutional
        Networks for Efficient Inference", 2018, section 2.2.
    """

    def __init__(self, model):
        self._quantized = [
            (weight, *_quantize(weight))
            for weight in model.weights
            if np.prod(weight.shape) >= SMALLEST and "float" in weight.dtype
        ]

    def wrap(self, function):
        """Wraps `function` so that it uses the dequantized weights."""
        import tensorflow as tf

        def with_int8_weights(*inputs):
            restored = [
                (weight, tf.cast(values, weight.dtype) * tf.cast(scale, weight.dtype))
                for weight, values, scale in self._quantized
            ]
            with keras.StatelessScope(state_mapping=restored):
                return function(*inputs)

        return with_int8_weights


def _quantize(weight):
    import tensorflow as tf

    values = keras.ops.convert_to_numpy(weight.value).astype("float32")
    longest = int(np.argmax(values.shape))
    others = tuple(axis for axis in range(values.ndim) if axis != longest)
    scale = np.max(np.abs(values), axis=others, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype("float32")
    rounded = np.round(values / scale).astype("int8")
    return tf.Variable(rounded, trainable=False), tf.Variable(scale, trainable=False)

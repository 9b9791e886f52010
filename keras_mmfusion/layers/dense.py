import keras
from keras import ops

PYTORCH = keras.config.backend() == "torch"
if PYTORCH:
    import torch


class Dense(keras.layers.Dense):
    """`keras.layers.Dense` for use inside other layers, as fast on PyTorch as `nn.Linear`.

    PyTorch runs operations eagerly: a separate bias needs one more pass over the output, and the
    checks of `keras.layers.Layer.__call__` take a quarter of a millisecond. On the other backends,
    which compile, this is Keras's layer.
    """

    def __call__(self, inputs, *args, **kwargs):
        if PYTORCH and self._is_plain(inputs):
            return self.call(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def _is_plain(self, inputs):
        """Whether the call only computes the formula, so that Keras's `__call__` can be skipped."""
        return (
            isinstance(inputs, torch.Tensor)
            and self.built
            and self.quantization_mode is None
            and self.activity_regularizer is None
            and keras.backend.standardize_dtype(inputs.dtype) == self.compute_dtype
        )

    def call(self, inputs, training=None):
        if not PYTORCH:
            return super().call(inputs, training)
        # Cast explicitly: the autocast scope is part of Keras's `__call__`.
        kernel = ops.cast(self.kernel, self.compute_dtype)
        bias = None if self.bias is None else ops.cast(self.bias, self.compute_dtype)
        return self.activation(torch.nn.functional.linear(inputs, kernel.T, bias))

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras refuses subclasses, whose formula may differ. This one has the same formula.
        super().quantize(mode, type_check=False, config=config)

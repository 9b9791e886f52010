import math

import keras
from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.layers.cast_input import cast_input


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LogitScale(keras.layers.Layer):
    """Scales similarities to logits by a learned temperature and an optional learned bias.

    ```
    logits = similarities / τ + b,   1 / τ = min(exp(t), largest_scale)
    ```

    `t` and `b` are weights. The scale is learned as its logarithm, so it stays positive.

    Args:
        temperature: float. Initial τ.
        bias: float or `None`. Initial b; `None` for no bias.
        largest_scale: float or `None`. Upper bound of `1 / τ`, which keeps training stable; `None`
            for no bound.

    Call arguments:
        similarities: float tensor of any shape.

    Output shape:
        That of `similarities`.

    Raises:
        ValueError: if `temperature` or `largest_scale` is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import LogitScale
    >>> logits = LogitScale(temperature=0.1, bias=-10.0)(np.array([[1.0, 0.5]]))
    >>> [round(float(logit), 3) for logit in logits[0]]
    [0.0, -5.0]

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
        2021, section 2.5; the bias: Zhai et al., "Sigmoid Loss for Language Image Pre-Training",
        2023, section 3.2.
    """

    def __init__(self, temperature=0.07, bias=None, largest_scale=100.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = check_positive(self, "temperature", temperature)
        self.initial_bias = bias
        if largest_scale is not None:
            largest_scale = check_positive(self, "largest_scale", largest_scale)
        self.largest_scale = largest_scale
        self.supports_masking = True

    def build(self, similarities_shape=None):
        start = keras.initializers.Constant
        self.log_scale = self.add_weight((), start(-math.log(self.temperature)), name="log_scale")
        self.bias = None
        if self.initial_bias is not None:
            self.bias = self.add_weight((), start(self.initial_bias), name="bias")

    def call(self, similarities):
        scale = ops.exp(self.log_scale)
        if self.largest_scale is not None:
            scale = ops.minimum(scale, self.largest_scale)
        logits = cast_input(self, similarities) * ops.cast(scale, self.compute_dtype)
        return logits if self.bias is None else logits + self.bias

    def compute_output_shape(self, similarities_shape):
        return similarities_shape

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "bias": self.initial_bias,
            "largest_scale": self.largest_scale,
        }

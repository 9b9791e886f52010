"""Temperature scaling and vector scaling of logits."""

import keras
import numpy as np
from keras import ops

from keras_mmfusion.calibration.class_predictions import check_labels

_PENALTY = 1e-4


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TemperatureScaling(keras.layers.Layer):
    """Divides logits by a temperature, so that their softmax is calibrated.

    ```
    y = z / T
    ```

    `adapt` computes the temperature, which is initially 1, that maximizes the likelihood of
    labels. The predicted class never changes.

    Call arguments:
        inputs: float tensor `(..., classes)`, logits.

    Output shape:
        As `inputs`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.calibration import TemperatureScaling
    >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> scaling = TemperatureScaling()
    >>> scaling.adapt(logits, labels=[0, 0, 1, 1])  # 3 of 4 are correct
    >>> round(float(scaling.temperature), 2)
    3.64

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, inputs_shape):
        self.temperature = self.add_weight(
            (), "ones", trainable=False, autocast=False, name="temperature"
        )

    def adapt(self, logits, labels):
        """Computes the temperature, from 0.001 to 1,000.

        Args:
            logits: float array `(samples, classes)` of samples that the model was not trained on.
            labels: int array `(samples,)`, class indices.

        Raises:
            ValueError: if shapes do not match, or a value is invalid.
        """
        labels, logits = check_labels(labels, logits, "logits")
        mean_label_logit = logits[np.arange(len(labels)), labels].mean()
        low, high = -3.0, 3.0  # log10 of 1 / T. The slope of the loss grows with 1 / T.
        for _ in range(60):
            middle = (low + high) / 2
            probabilities = _softmax(10**middle * logits)
            slope = np.sum(probabilities * logits, axis=1).mean() - mean_label_logit
            low, high = (low, middle) if slope > 0 else (middle, high)
        if not self.built:
            self.build(logits.shape)
            self.built = True
        self.temperature.assign(10**-low)

    def call(self, inputs):
        return inputs / ops.cast(self.temperature, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VectorScaling(keras.layers.Layer):
    """Scales and shifts the logit of each class, so that their softmax is calibrated.

    ```
    y_k = w_k z_k + b_k
    ```

    `adapt` computes `w`, initially 1, and `b`, initially 0, by maximum likelihood with the penalty
    `10⁻⁴ (‖w - 1‖² + ‖b‖²)`. Predicted classes can change. With few samples of a class,
    `TemperatureScaling` is more reliable.

    Call arguments:
        inputs: float tensor `(..., classes)`, logits.

    Output shape:
        As `inputs`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.calibration import VectorScaling
    >>> scaling = VectorScaling()
    >>> scaling.adapt(np.zeros((4, 2)), labels=[0, 0, 0, 1])  # 3 of 4 are of class 0
    >>> bias = np.asarray(scaling.bias)
    >>> round(float(bias[0] - bias[1]), 2)  # log 3, and the penalty
    1.1

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, inputs_shape):
        settings = {"shape": (inputs_shape[-1],), "trainable": False, "autocast": False}
        self.scale = self.add_weight(initializer="ones", name="scale", **settings)
        self.bias = self.add_weight(initializer="zeros", name="bias", **settings)

    def adapt(self, logits, labels):
        """Computes scale and bias by Newton's method.

        Args:
            logits, labels: see `TemperatureScaling.adapt`.

        Raises:
            ValueError: if shapes do not match, or a value is invalid.
        """
        labels, logits = check_labels(labels, logits, "logits")
        targets = np.eye(logits.shape[1])[labels]
        scale, bias = _fit_scale_and_bias(logits, targets)
        if not self.built:
            self.build(logits.shape)
            self.built = True
        self.scale.assign(scale)
        self.bias.assign(bias)

    def call(self, inputs):
        scale, bias = (ops.cast(each, inputs.dtype) for each in (self.scale, self.bias))
        return inputs * scale + bias

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


def _fit_scale_and_bias(logits, targets):
    classes = logits.shape[1]
    start = np.repeat([1.0, 0.0], classes)

    def compute_loss(parameters):
        scaled = logits * parameters[:classes] + parameters[classes:]
        highest = scaled.max(axis=1, keepdims=True)
        totals = np.log(np.exp(scaled - highest).sum(axis=1)) + highest[:, 0]
        likelihood = np.sum(targets * scaled, axis=1) - totals
        return _PENALTY * np.sum((parameters - start) ** 2) - likelihood.mean()

    parameters = start
    for _ in range(100):
        probabilities = _softmax(logits * parameters[:classes] + parameters[classes:])
        errors = (probabilities - targets) / len(logits)
        gradient = np.concatenate([(errors * logits).sum(axis=0), errors.sum(axis=0)])
        gradient += 2 * _PENALTY * (parameters - start)
        step = np.linalg.solve(_compute_hessian(logits, probabilities), gradient)
        size, loss = 1.0, compute_loss(parameters)
        while size > 1e-6 and compute_loss(parameters - size * step) > loss:
            size /= 2
        parameters = parameters - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    return parameters[:classes], parameters[classes:]


def _compute_hessian(logits, probabilities):
    """The second derivatives of the loss by the scales and biases."""
    weighted = np.concatenate([probabilities * logits, probabilities], axis=1)
    within = (probabilities * logits**2, probabilities * logits, probabilities)
    scale, mixed, bias = (np.diag(each.mean(axis=0)) for each in within)
    hessian = np.block([[scale, mixed], [mixed, bias]]) - weighted.T @ weighted / len(logits)
    return hessian + 2 * _PENALTY * np.eye(len(hessian))


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)

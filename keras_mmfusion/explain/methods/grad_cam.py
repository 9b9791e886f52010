"""The methods `GradCAM` and `GradCAMPlusPlus`."""

import keras
import numpy as np

from keras_mmfusion.explain.formulas.activation_formulas import (
    compute_grad_cam,
    compute_grad_cam_plus_plus,
)
from keras_mmfusion.explain.internals.score_gradients import compute_output_gradients
from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.part_values import drop_class_tokens, scale_up


class GradCAM(ExplanationMethod):
    """The last feature map of the image encoder, weighted by gradients.

    ```
    α_k = mean over positions of ∂f / ∂A_k           value = ReLU(Σ_k α_k A_k)
    ```

    `A` is the output of the image encoder, a feature map or tokens, or its last feature map if it
    returns a vector. At the level of pixels, the map is interpolated bilinearly. There are no
    values for other modalities, and none below zero.

    Example:

    >>> from keras_mmfusion.explain import GradCAM
    >>> GradCAM()
    GradCAM()

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", 2017, equations 1 and 2.
    """

    name = "grad_cam"
    levels = ("token", "pixel")

    def find_problem(self, explainable, level):
        if find_feature_layer(explainable) is None:
            return "the model has no image encoder with a feature map"
        return None

    def attribute(self, explainable, level, batch_size):
        layer = find_feature_layer(explainable)
        *arrays, score = compute_output_gradients(explainable, layer)
        activations, gradients = (_arrange(x, explainable.grid) for x in arrays)
        rows, columns, channels = activations.shape
        values = self._combine(
            activations.reshape(-1, channels), gradients.reshape(-1, channels)
        ).reshape(rows, columns)
        name = _find_image(explainable)
        [shape] = [explainable.get_part_shapes(level)[name]]
        if values.shape != tuple(shape):
            values = scale_up(values, shape)
        return Attribution({name: values}, score)

    def _combine(self, activations, gradients):
        return compute_grad_cam(activations, gradients)


class GradCAMPlusPlus(GradCAM):
    """The last feature map of the image encoder, weighted by gradients at each position.

    ```
    g = ∂f / ∂A        α = g² / (2 g² + g³ Σ_positions A)
    w_k = Σ_positions α_k ReLU(g_k)                  value = ReLU(Σ_k w_k A_k)
    ```

    Unlike `GradCAM`, it weighs several objects of a class evenly. See `GradCAM` for `A`.

    Example:

    >>> from keras_mmfusion.explain import GradCAMPlusPlus
    >>> GradCAMPlusPlus()
    GradCAMPlusPlus()

    Reference:
        Chattopadhay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional
        Networks", 2018, equations 5, 15 and 19.
    """

    name = "grad_cam_plus_plus"

    def _combine(self, activations, gradients):
        return compute_grad_cam_plus_plus(activations, gradients)


def find_feature_layer(explainable):
    """Finds the layer whose output is the last feature map of the image; `None` without one."""
    return explainable.cache_function("feature layer", lambda: _find_feature_layer(explainable))


def _find_feature_layer(explainable):
    encoder, name = explainable.image_encoder, _find_image(explainable)
    if encoder is None or name is None:
        return None
    image = keras.KerasTensor((1, *explainable.inputs[name].shape), dtype="float32")
    if len(_get_shape(encoder, image)) in (3, 4):
        return encoder
    layers = encoder.layers if isinstance(encoder, keras.Model) else []
    maps = [layer for layer in layers if len(_get_shape(layer)) == 4]
    return None if not maps or isinstance(maps[-1], keras.layers.InputLayer) else maps[-1]


def _find_image(explainable):
    return next((name for name, kind in explainable.kinds.items() if kind == "image"), None)


def _get_shape(layer, inputs=None):
    """Returns the shape of the output of a layer; of rank 0 if it is not a single tensor."""
    try:
        output = layer.output if inputs is None else layer.compute_output_spec(inputs)
    except (AttributeError, ValueError):  # Not called in a functional model, or on other inputs.
        return ()
    return getattr(output, "shape", ())


def _arrange(x, grid):
    """Arranges a feature map or image tokens as `(rows, columns, channels)`."""
    if x.ndim == 2:
        return drop_class_tokens(x, grid)
    return np.moveaxis(x, 0, -1) if keras.config.image_data_format() == "channels_first" else x

"""Gradients on every backend, and finite differences."""

import keras
import numpy as np
from layer_checks import to_numpy


def gradient(function, *arrays):
    """Gradients of a scalar function of float tensors."""
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = function(*tensors)
        gradients = tape.gradient(result, tensors)
    elif backend == "jax":
        import jax

        gradients = jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    else:
        import torch

        tensors = [tensor.clone().requires_grad_() for tensor in tensors]
        gradients = torch.autograd.grad(function(*tensors), tensors)
    return [to_numpy(gradient) for gradient in gradients]


def finite_differences(function, *arrays, step=1e-5):
    """Central finite differences of a NumPy function, in float64."""
    arrays = [np.array(array, "float64") for array in arrays]
    gradients = [np.zeros_like(array) for array in arrays]
    for array, slopes in zip(arrays, gradients, strict=True):
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + step
            above = function(*arrays)
            array[index] = value - step
            below = function(*arrays)
            array[index] = value
            slopes[index] = (above - below) / (2 * step)
    return gradients

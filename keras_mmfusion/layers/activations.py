"""Activation functions by name, including the variants of GELU that public checkpoints use."""

import keras
from keras import ops

from keras_mmfusion._checks import check_choice


def gelu_tanh(x):
    """GELU approximated by tanh: `x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2`."""
    return keras.activations.gelu(x, approximate=True)


def quick_gelu(x):
    """GELU approximated by a sigmoid, as in CLIP: `x sigmoid(1.702 x)`."""
    return x * ops.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": keras.activations.gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "relu": keras.activations.relu,
}


def get_activation(name, caller=None):
    """Returns the function of an activation's name: a key of `ACTIVATIONS`. `gelu` is exact.

    Raises:
        ValueError: if the name is unknown.
    """
    return ACTIVATIONS[check_choice(caller, "activation", name, ACTIVATIONS)]

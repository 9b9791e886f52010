import keras
from keras import ops


def cast_input(layer, x):
    """Casts an input to the compute dtype of its layer.

    Keras autocasts float inputs only. Integer and bool features would stay integers, and their
    products with weights would fail or cast the weights to integers.

    Args:
        layer: `keras.layers.Layer`.
        x: tensor of numbers, or `None`.

    Returns:
        Tensor of the layer's compute dtype, or `None`.

    Raises:
        ValueError: if the tensor is of strings or complex numbers.
    """
    return None if x is None else cast_numbers(type(layer).__name__, x, layer.compute_dtype)


def cast_numbers(name, x, dtype):
    """Casts a tensor of numbers to `dtype`; an error starts with `name`."""
    input_dtype = keras.backend.standardize_dtype(x.dtype)
    if input_dtype == "string" or input_dtype.startswith("complex"):
        raise ValueError(
            f"{name}: inputs must be floats, integers or bool. Received dtype: {input_dtype}"
        )
    return ops.cast(x, dtype)


def cast_mask(mask):
    """Casts a mask to bool; `None` stays `None`."""
    return None if mask is None else ops.cast(mask, "bool")

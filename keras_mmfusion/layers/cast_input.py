import keras
from keras import ops


def cast_input(layer, x):
    """An input in the compute dtype of its layer.

    Keras casts only inputs of a float dtype. Counts, one-hot vectors and bool features would stay
    integers, and the products with them would cast the weights to integers, or fail.

    Args:
        layer: `keras.layers.Layer`.
        x: tensor of numbers, or `None`.

    Returns:
        Tensor of the layer's compute dtype, or `None`.

    Raises:
        ValueError: if the tensor has strings or complex numbers.
    """
    return None if x is None else cast_numbers(type(layer).__name__, x, layer.compute_dtype)


def cast_numbers(name, x, dtype):
    """A tensor of numbers in `dtype`; `name` says in an error who was given something else."""
    given = keras.backend.standardize_dtype(x.dtype)
    if given == "string" or given.startswith("complex"):
        raise ValueError(
            f"{name}: inputs must be numbers: floats, integers or bool. Received dtype: {given}"
        )
    return ops.cast(x, dtype)


def cast_mask(mask):
    """A mask as bool: what is not 0 is `True`; `None` stays `None`."""
    return None if mask is None else ops.cast(mask, "bool")

"""Conversions of source arrays, in the layouts of PyTorch, to the layouts of Keras.

A `SourceWeight` has one of them: a function of the arrays of its keys that returns one array.
"""

import numpy as np


def keep(array):
    """Returns the array unchanged: biases, norms, embeddings, GPT-2's `Conv1D`."""
    return array


def transpose_linear(array):
    """Converts the weight of a `Linear`, `(out, in)`, to the kernel of a `Dense`, `(in, out)`."""
    return array.T


def transpose_conv(array):
    """Converts the weight of a `Conv2d`, `(out, in, height, width)`, to a `Conv2D`'s kernel."""
    return array.transpose(2, 3, 1, 0)


def reshape(*shape):
    """Returns a conversion that reshapes, such as `reshape(-1)` for `(1, 1, dim)`."""
    return lambda array: array.reshape(shape)


def split_rows(index, count):
    """Returns a conversion to one of `count` equal parts of a fused linear layer.

    The weight `(count * out, in)` or bias `(count * out,)` is split along its first axis; a
    weight is then transposed to the kernel of a `Dense`.

    Args:
        index: int. Which part.
        count: int. The number of parts.

    Returns:
        A function of an array.

    Example:

    >>> import numpy as np
    >>> split_rows(1, 2)(np.arange(4))
    array([2, 3])
    >>> split_rows(1, 2)(np.zeros((6, 5))).shape
    (5, 3)
    """

    def convert(array):
        if len(array) % count:
            raise ValueError(f"has {len(array)} rows, which are not {count} equal parts")
        return np.split(array, count)[index].T

    return convert


def split_qkv(index):
    """Returns a conversion to the query (0), key (1) or value (2) of a fused `(3 * dim, dim)`.

    The weight becomes the kernel of a `Dense`; a bias `(3 * dim,)` is split, too.
    """
    return split_rows(index, 3)


def split_columns(index, count):
    """Returns a conversion to one of `count` equal parts along the last axis.

    GPT-2's fused `c_attn` has this layout, `(in, 3 * out)` with a bias `(3 * out,)`.
    """
    return lambda array: np.split(array, count, axis=-1)[index]


def join_linear(*arrays):
    """Joins the weights or biases of linear layers to those of one `Dense`, side by side."""
    return np.concatenate([array.T for array in arrays], axis=-1)


def stack(*arrays):
    """Stacks arrays of the same shape along a new first axis."""
    return np.stack(arrays)

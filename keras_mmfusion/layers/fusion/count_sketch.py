import keras
from keras import ops


def count_sketch(x, indices, signs, size):
    """Random signed sums of the entries of vectors: `ψ(x)_j = Σ_{i: indices_i = j} signs_i x_i`.

    Entries are added by index, without a sparse matrix `(dim, size)`.

    Args:
        x: float32 tensor `(batch, dim)`.
        indices: int array `(dim,)`, below `size`.
        signs: float32 array `(dim,)`, 1 or -1.
        size: int. The size of the sketch.

    Returns:
        Float32 tensor `(batch, size)`.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0, 4.0]], "float32")
    >>> signs = np.array([1.0, -1.0, 1.0], "float32")
    >>> count_sketch(x, np.array([3, 0, 3]), signs, size=4).__array__().tolist()
    [[-2.0, 0.0, 0.0, 5.0]]

    Reference:
        Charikar et al., "Finding Frequent Items in Data Streams", 2002.
    """
    signed = ops.multiply(x, signs)
    if keras.config.backend() == "torch":
        # Keras's `segment_sum` would repeat the indices for every entry of a row.
        sums = ops.zeros((ops.shape(x)[0], size))
        return sums.index_add(1, ops.convert_to_tensor(indices, "int64"), signed)
    return ops.transpose(ops.segment_sum(ops.transpose(signed), indices, num_segments=size))

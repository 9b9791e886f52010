from keras import ops


def order_edges(index):
    """Sorts the edges of a fixed graph once, by either end, for any number of layers and steps.

    `normalize_graph` puts it into the graph. With it, sums over edges are products with a sparse
    matrix on JAX's CPU, and PyTorch need not sort in each of them; TensorFlow makes no use of it.

    Args:
        index: int tensor `(2, edges)`, an `edge_index`, or rows and columns of entries.

    Returns:
        int32 tensor `(2, edges)`: `index[i][order[i]]` is sorted, and what is equal stays as it
        was.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import order_edges
    >>> order = order_edges(np.array([[0, 2, 1], [5, 4, 4]]))
    >>> [[int(edge) for edge in row] for row in order]
    [[0, 2, 1], [1, 2, 0]]
    """
    return ops.cast(ops.argsort(ops.convert_to_tensor(index), axis=-1), "int32")

from keras import ops


def order_edges(index):
    """Sorts the edges of a fixed graph by source and by target, for reuse by layers and steps.

    `normalize_graph` adds the result to the graph. It lets JAX on a CPU sum over edges by a sparse
    matrix product, and saves PyTorch a sort in each sum. TensorFlow does not use it.

    Args:
        index: int tensor `(2, edges)`, an `edge_index`, or rows and columns of entries.

    Returns:
        int32 tensor `(2, edges)`. `index[i][order[i]]` is sorted; the sort is stable.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import order_edges
    >>> order = order_edges(np.array([[0, 2, 1], [5, 4, 4]]))
    >>> [[int(edge) for edge in row] for row in order]
    [[0, 2, 1], [1, 2, 0]]
    """
    return ops.cast(ops.argsort(ops.convert_to_tensor(index), axis=-1), "int32")

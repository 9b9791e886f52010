import numpy as np

from keras_mmfusion.graphs.edge_arrays import as_array, cast_edges


def connect_pairs(pairs, weights=None):
    """Connects the first node of each pair to the second.

    Args:
        pairs: ints `(edges, 2)`: source and target.
        weights: floats `(edges,)`. Defaults to ones.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`.

    Example:

    >>> from keras_mmfusion.layers.graph import connect_pairs
    >>> connect_pairs([(0, 2), (1, 0)])[0].tolist()
    [[0, 1], [2, 0]]
    """
    pairs = as_array("pairs", pairs if len(pairs) else np.zeros((0, 2), "int32"), (None, 2))
    if pairs.dtype.kind not in "iu":
        raise ValueError(f"`pairs` must be integer node indices. Received: {pairs.dtype}")
    if weights is None:
        weights = np.ones(len(pairs))
    return cast_edges(*pairs.T, as_array("weights", weights, (len(pairs),)))

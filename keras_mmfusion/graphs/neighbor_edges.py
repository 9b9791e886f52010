import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.graphs.edge_arrays import ROWS, as_array, cast_edges


def connect_neighbors(sources, targets=None, neighbors=10, source_mask=None, target_mask=None):
    """Connects each target to its `k` nearest sources by cosine similarity.

    ```
    cos(s_j, t_i) = s_j · t_i / (‖s_j‖ ‖t_i‖)
    ```

    Nodes of two modalities need features in a shared space, such as those of
    `ContrastiveModel.embed`.

    Args:
        sources: floats `(sources, dim)`.
        targets: floats `(targets, dim)`. `None` for the sources themselves, without self-loops.
        neighbors: int, `k`. If there are fewer sources, all are used.
        source_mask, target_mask: bool `(nodes,)`, `False` for a missing node, which gets no edges.
            With `targets=None`, `source_mask` applies to both.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`, ones.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import connect_neighbors
    >>> features = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> connect_neighbors(features, neighbors=1)[0].tolist()
    [[1, 0, 1], [0, 1, 2]]

    Reference:
        Item graph of a recommender: Zhang et al., "Mining Latent Structures for Multimedia
        Recommendation", 2021, section 3.1.
    """
    check_integer("connect_neighbors", "neighbors", neighbors)
    same = targets is None
    if same:
        targets, target_mask = sources, source_mask
    sources = as_array("sources", sources, (None, None))
    targets = as_array("targets", targets, (None, sources.shape[1]))
    sources, source_mask = _normalize(sources, "source_mask", source_mask)
    targets, target_mask = _normalize(targets, "target_mask", target_mask)
    count = min(neighbors, len(sources))
    edges = [np.zeros((2, 0), "int64")]
    for start in range(0, len(targets) if count else 0, ROWS):
        similarity = targets[start : start + ROWS] @ sources.T
        rows = np.arange(len(similarity))
        if same:
            similarity[rows, rows + start] = -np.inf
        similarity[:, ~source_mask] = -np.inf
        similarity[~target_mask[start : start + ROWS]] = -np.inf
        nearest = np.sort(np.argpartition(-similarity, count - 1, axis=1)[:, :count], axis=1)
        kept = np.take_along_axis(similarity, nearest, axis=1) > -np.inf
        row = np.broadcast_to(rows[:, None], nearest.shape)[kept]
        edges.append(np.stack([nearest[kept], row + start]))
    source, target = np.concatenate(edges, axis=1)
    return cast_edges(source, target, np.ones(len(source)))


def _normalize(x, name, mask):
    """Returns unit vectors, zeros for masked nodes, and the mask as bool."""
    mask = np.ones(len(x), "bool") if mask is None else as_array(name, mask, (len(x),)) != 0
    x = np.where(mask[:, None], x, 0.0)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), mask

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.graphs.edge_arrays import ROWS, as_array, edges_of


def connect_neighbors(sources, targets=None, neighbors=10, source_mask=None, target_mask=None):
    """Edges to each target from its `k` nearest sources, by the cosine of their features.

    ```
    cos(s_j, t_i) = s_j · t_i / (‖s_j‖ ‖t_i‖)
    ```

    Nodes of two modalities need features of a space that they share, as those of
    `ContrastiveModel.embed`.

    Args:
        sources: floats `(sources, dim)`.
        targets: floats `(targets, dim)`. `None` for the sources themselves; none is then its own
            neighbor.
        neighbors: int, `k`. All of them where there are fewer.
        source_mask, target_mask: bool `(nodes,)`, `False` for a node that is missing: it gets no
            edges. Of one node set, `source_mask` says it.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`, ones.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import connect_neighbors
    >>> features = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> connect_neighbors(features, neighbors=1)[0].tolist()
    [[1, 0, 1], [0, 1, 2]]

    Reference:
        As the graph of a recommender's items: Zhang et al., "Mining Latent Structures for
        Multimedia Recommendation", 2021, section 3.1.
    """
    check_integer("connect_neighbors", "neighbors", neighbors)
    same = targets is None
    if same:
        targets, target_mask = sources, source_mask
    sources = as_array("sources", sources, (None, None))
    targets = as_array("targets", targets, (None, sources.shape[1]))
    sources, has_source = _directions(sources, "source_mask", source_mask)
    targets, has_target = _directions(targets, "target_mask", target_mask)
    count = min(neighbors, len(sources))
    found = [np.zeros((2, 0), "int64")]
    for start in range(0, len(targets) if count else 0, ROWS):
        similarity = targets[start : start + ROWS] @ sources.T
        rows = np.arange(len(similarity))
        if same:
            similarity[rows, rows + start] = -np.inf
        similarity[:, ~has_source] = -np.inf
        similarity[~has_target[start : start + ROWS]] = -np.inf
        nearest = np.sort(np.argpartition(-similarity, count - 1, axis=1)[:, :count], axis=1)
        kept = np.take_along_axis(similarity, nearest, axis=1) > -np.inf
        row = np.broadcast_to(rows[:, None], nearest.shape)[kept]
        found.append(np.stack([nearest[kept], row + start]))
    source, target = np.concatenate(found, axis=1)
    return edges_of(source, target, np.ones(len(source)))


def _directions(x, name, mask):
    """Vectors of length one, zeros where they are missing, and which are there."""
    here = np.ones(len(x), "bool") if mask is None else as_array(name, mask, (len(x),)) != 0
    x = np.where(here[:, None], x, 0.0)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), here

import numpy as np

from keras_mmfusion._checks import check_fraction
from keras_mmfusion.graphs.edge_arrays import as_array, connect_where


def connect_boxes(sources, targets=None, min_overlap=0.0):
    """Connects nodes whose bounding boxes overlap.

    ```
    w_ij = area(i ∩ j) / area(i ∪ j)
    edge j → i if w_ij > min_overlap
    ```

    Args:
        sources: numbers `(sources, 4)`: left, top, right, bottom.
        targets: numbers `(targets, 4)`. `None` for the sources themselves, without self-loops.
        min_overlap: number in [0, 1).

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, the float32 `(edges,)` overlaps `w`.

    Example:

    >>> from keras_mmfusion.layers.graph import connect_boxes
    >>> index, weight = connect_boxes([(0, 0, 2, 2), (0, 0, 2, 4), (5, 5, 6, 6)])
    >>> index.tolist(), weight.tolist()
    ([[1, 0], [0, 1]], [0.5, 0.5])

    Reference:
        Spatial edges between regions by their overlap: Yao et al., "Exploring Visual Relationship
        for Image Captioning", 2018, section 3.2.
    """
    check_fraction(None, "min_overlap", min_overlap)
    same = targets is None
    sources = _check_boxes("sources", sources)
    targets = sources if same else _check_boxes("targets", targets)

    def weigh(rows):
        boxes = targets[rows, None]
        low, high = (
            np.maximum(boxes[..., :2], sources[:, :2]),
            np.minimum(boxes[..., 2:], sources[:, 2:]),
        )
        common = np.prod(np.maximum(high - low, 0), axis=-1)
        union = _compute_area(boxes) + _compute_area(sources) - common
        overlap = common / np.where(union > 0, union, 1)
        return np.where(overlap > min_overlap, overlap, 0)

    return connect_where(weigh, len(targets), loops=not same)


def _check_boxes(name, boxes):
    boxes = as_array(name, boxes, (None, 4))
    invalid = np.any(boxes[:, 2:] < boxes[:, :2], axis=1)
    if invalid.any():
        raise ValueError(
            f"`{name}` must be boxes (left, top, right, bottom) with left <= right and "
            f"top <= bottom. Received: {boxes[invalid][0].tolist()}"
        )
    return boxes


def _compute_area(boxes):
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)

import numpy as np

from keras_mmfusion._checks import check_non_negative
from keras_mmfusion.graphs.edge_arrays import as_array, connect_where


def connect_times(sources, targets=None, max_gap=0.0):
    """Connects nodes whose time intervals overlap or are close to each other.

    ```
    gap_ij = max(0, start_i - end_j, start_j - end_i)
    edge j → i if gap_ij <= max_gap
    ```

    Args:
        sources: numbers `(sources, 2)`, start and end of each node; equal for a point in time.
        targets: numbers `(targets, 2)`. `None` for the sources themselves, without self-loops.
        max_gap: number, in the unit of the times.

    Returns:
        `edge_index`, int32 `(2, edges)`, and `edge_weight`, float32 `(edges,)`, ones. To weigh
        edges by their overlap, use the plan of `TimestampAlignment` and `connect_plan`.

    Example:

    >>> from keras_mmfusion.layers.graph import connect_times
    >>> words, frames = [(0.0, 0.4), (0.5, 0.9)], [(0.0, 0.3), (0.3, 0.6)]
    >>> connect_times(frames, words)[0].tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    check_non_negative(None, "max_gap", max_gap)
    same = targets is None
    sources = _check_intervals("sources", sources)
    targets = sources if same else _check_intervals("targets", targets)

    def weigh(rows):
        start, end = targets[rows].T[:, :, None]
        gap = np.maximum(start - sources[:, 1], sources[:, 0] - end)
        return (gap <= max_gap).astype("float32")

    return connect_where(weigh, len(targets), loops=not same)


def _check_intervals(name, times):
    times = as_array(name, times, (None, 2))
    invalid = times[:, 1] < times[:, 0]
    if invalid.any():
        raise ValueError(
            f"`{name}` must be pairs (start, end) with start <= end. Received: "
            f"{times[invalid][0].tolist()}"
        )
    return times

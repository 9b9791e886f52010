"""NaN among the features of nodes, found before a graph layer spreads it to their neighbors."""

import numpy as np

_EXAMPLES = 20


def check_known_nodes(node_features, node_mask=None):
    """Checks that the features of nodes are known.

    Args:
        node_features: array `(nodes, ...)`.
        node_mask: bool array `(nodes,)`, `False` for nodes that are not there; or `None`.

    Raises:
        ValueError: if a node that is there has a feature that is NaN.

    Example:

    >>> check_known_nodes(np.array([[0.0], [np.nan]]))
    Traceback (most recent call last):
    ValueError: `node_features` has NaN for these nodes: [1]. Replace it by numbers, or leave ...
    """
    if node_features.dtype.kind != "f":
        return
    unknown = np.isnan(node_features).reshape(len(node_features), -1).any(axis=1)
    if node_mask is not None:
        unknown &= node_mask
    if unknown.any():
        raise ValueError(
            f"`node_features` has NaN for these nodes: {np.flatnonzero(unknown)[:_EXAMPLES]}. "
            "Replace it by numbers, or leave these nodes out; in a graph with a `node_mask`, by "
            "False there."
        )

"""Detection of NaN node features, which graph layers would propagate to neighbors."""

import numpy as np

_EXAMPLES = 20


def check_nan_features(node_features, node_mask=None):
    """Checks that no unmasked node has a NaN feature.

    Args:
        node_features: array `(nodes, ...)`.
        node_mask: bool array `(nodes,)`, `False` for missing nodes; or `None`.

    Raises:
        ValueError: if an unmasked node has a NaN feature.

    Example:

    >>> check_nan_features(np.array([[0.0], [np.nan]]))
    Traceback (most recent call last):
    ValueError: `node_features` has NaN for these nodes: [1]. Fill in the missing values, or ...
    """
    if node_features.dtype.kind != "f":
        return
    has_nan = np.isnan(node_features).reshape(len(node_features), -1).any(axis=1)
    if node_mask is not None:
        has_nan &= node_mask
    if has_nan.any():
        raise ValueError(
            f"`node_features` has NaN for these nodes: {np.flatnonzero(has_nan)[:_EXAMPLES]}. "
            "Fill in the missing values, or mask these nodes with a `node_mask` where one is "
            "supported."
        )

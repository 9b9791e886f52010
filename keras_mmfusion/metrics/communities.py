"""Scores of communities: groups of the nodes of a graph."""

import numpy as np


def normalized_mutual_information(labels, communities):
    """Computes the normalized mutual information of two partitions of the same nodes.

    `NMI = 2 I(U; V) / (H(U) + H(V))`, with the mutual information `I` and the entropies `H`. It is
    1 for equal partitions, whatever the names of their groups, and 0 for independent ones.

    Args:
        labels: sequence of group names `(nodes,)`.
        communities: sequence of group names `(nodes,)`.

    Returns:
        A float between 0 and 1; 1 if both partitions have one group.

    Raises:
        ValueError: if the lengths differ or there are no nodes.

    Example:

    >>> normalized_mutual_information([0, 0, 1, 1], ["b", "b", "a", "a"])
    1.0

    Reference:
        Danon et al., "Comparing Community Structure Identification", 2005, equation 2.
    """
    _check_lengths(labels, communities)
    _, rows = np.unique(labels, return_inverse=True)
    _, columns = np.unique(communities, return_inverse=True)
    groups = columns.max() + 1
    joint = np.bincount(rows * groups + columns, minlength=(rows.max() + 1) * groups)
    joint = joint.reshape(-1, groups) / len(rows)
    entropies = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0))
    if entropies == 0:
        return 1.0
    return float(np.clip(2 * (entropies - _entropy(joint.ravel())) / entropies, 0, 1))


def modularity(edges, communities):
    """Computes the modularity of a partition of the nodes of an undirected graph.

    `Q = Σ_c (m_c / m - (d_c / 2m)²)` over communities, with `m` edges, of which `m_c` are inside
    community `c`, and the sum `d_c` of the degrees of its nodes. It is positive if more edges are
    inside communities than in a random graph with the same degrees.

    Args:
        edges: int array `(2, edges)`, each edge once.
        communities: sequence of group names `(nodes,)`.

    Returns:
        A float between -0.5 and 1.

    Raises:
        ValueError: if there are no edges, or an index is out of range.

    Example:

    >>> round(modularity([[0, 0, 1, 3, 3, 4, 2], [1, 2, 2, 4, 5, 5, 3]], [0, 0, 0, 1, 1, 1]), 4)
    0.3571

    Reference:
        Newman and Girvan, "Finding and Evaluating Community Structure in Networks", 2004,
        equation 5.
    """
    edges = np.asarray(edges)
    _, groups = np.unique(communities, return_inverse=True)
    if edges.ndim != 2 or len(edges) != 2 or not edges.size or edges.dtype.kind not in "iu":
        raise ValueError(
            "`edges` must be integers of the shape (2, edges), with at least one edge. Received: "
            f"{edges.dtype} of shape {edges.shape}"
        )
    if not 0 <= edges.min() <= edges.max() < len(groups):
        raise ValueError(
            f"`edges` must be in [0, {len(groups)}), for {len(groups)} nodes with a community. "
            f"Received: {edges.min()} to {edges.max()}"
        )
    source, target = groups[edges]
    count = edges.shape[1]
    inside = np.sum(source == target) / count
    degrees = np.bincount(np.concatenate([source, target])) / (2 * count)
    return float(inside - np.sum(degrees**2))


def _entropy(shares):
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log(shares)))


def _check_lengths(labels, communities):
    if len(labels) != len(communities) or not len(labels):
        raise ValueError(
            "`labels` and `communities` must have the same length, at least 1. Received: "
            f"{len(labels)} and {len(communities)}"
        )

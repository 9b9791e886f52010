"""Splits of the nodes of a graph for node classification."""

import numpy as np

from keras_mmfusion._checks import check_proportion


def split_nodes(labels, train=0.1, validation=0.1, seed=0):
    """Splits the nodes of each class at random; all others are test nodes.

    Args:
        labels: int array `(nodes,)`. Nodes with a negative label are in no part.
        train, validation: floats. Shares of the nodes of each class.
        seed: int.

    Returns:
        Three sorted int arrays: training, validation, and test nodes.

    Raises:
        ValueError: if a share is out of range, or a class has no training node.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import split_nodes
    >>> [len(nodes) for nodes in split_nodes(np.arange(100) % 5)]
    [10, 10, 80]
    """
    labels = np.asarray(labels)
    for name, share in (("train", train), ("validation", validation)):
        check_proportion("split_nodes", name, share)
    if train + validation >= 1:
        raise ValueError(
            "`train` and `validation` must leave test nodes. Received: "
            f"train={train}, validation={validation}"
        )
    rng = np.random.default_rng(seed)
    parts = [[], [], []]
    for each in np.unique(labels[labels >= 0]):
        nodes = rng.permutation(np.flatnonzero(labels == each))
        first, second = round(train * len(nodes)), round((train + validation) * len(nodes))
        if not first:
            raise ValueError(
                f"`train` must give each class a training node. Received: train={train} for "
                f"{len(nodes)} nodes of class {each}"
            )
        for part, rows in zip(parts, np.split(nodes, [first, second]), strict=True):
            part.append(rows)
    return tuple(np.sort(np.concatenate(part)) for part in parts)

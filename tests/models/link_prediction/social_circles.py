"""A small social network of circles of friends who share interests."""

import numpy as np

from keras_mmfusion.datasets import AttributedGraph


def make_circles(nodes=60, seed=0):
    """Three circles with many links inside, and words that half of a circle uses."""
    rng = np.random.default_rng(seed)
    labels = np.arange(nodes) % 3
    pairs = np.unique(np.sort(rng.integers(0, nodes, (900, 2)), axis=1), axis=0)
    inside = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (inside | (rng.random(len(pairs)) < 0.05))]
    words = rng.random((nodes, 12)) < np.where(np.arange(12) % 3 == labels[:, None], 0.5, 0.05)
    index = np.stack(np.nonzero(words))
    return AttributedGraph(
        node_ids=np.array([f"user{i}" for i in range(nodes)]),
        edges=pairs.T,
        attribute_index=index,
        attribute_values=np.ones(index.shape[1]),
        num_attributes=12,
        labels=labels,
    )

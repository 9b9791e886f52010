"""Writes and reads the graphs of the graph benchmark, for all peers."""

import numpy as np

CLASSES, HIDDEN, LEARNING_RATE = 40, 128, 0.01


def write_synthetic(path, nodes, edges, dim=128, seed=0):
    """Writes a random undirected graph with labels; `edges` counts both directions."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, nodes, (2, edges // 2))
    train = rng.permutation(nodes)[: nodes // 2]
    write_graph(
        path,
        rng.normal(size=(nodes, dim)).astype("float32"),
        np.concatenate([pairs, pairs[::-1]], axis=1),
        rng.integers(0, CLASSES, nodes),
        train,
    )


def write_cora(path, folder):
    """Writes Cora, with dense features whose rows sum to 1."""
    from keras_mmfusion.datasets import read_planetoid

    data = read_planetoid(folder, "cora")
    features = data.node_features / data.node_features.sum(axis=1, keepdims=True).clip(1)
    write_graph(path, features, data.edge_index, data.labels, data.train_nodes)


def write_graph(path, features, edge_index, labels, train_nodes):
    share = np.zeros(len(features), "float32")
    share[train_nodes] = 1 / len(train_nodes)
    np.savez(
        path,
        features=features.astype("float32"),
        edge_index=edge_index.astype("int32"),
        labels=labels.astype("int32"),
        share=share,
    )


def read_graph(path):
    """Reads features, edges, labels and the loss weight of each node, as a dict of arrays."""
    with np.load(path) as arrays:
        return dict(arrays)

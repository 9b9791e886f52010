"""Mini-batches of a graph that is too large for one training step."""

import math

import keras
import numpy as np

from keras_mmfusion.graphs.nan_features import check_nan_features
from keras_mmfusion.graphs.sorted_edges import SortedEdges, find_positions

NODE_KEYS = ("node_features", "source_scale")
EDGE_KEYS = ("edge_index", "edge_weight", "edge_mask", "node_mask", "edge_order")


class NeighborSampler(keras.utils.PyDataset):
    """Batches of seed nodes with a sampled neighborhood.

    Up to `fanouts[0]` incoming edges of each seed node are sampled without replacement, then up to
    `fanouts[1]` incoming edges of each of their sources, and so on: one fanout per graph layer of
    the model. If `k` of a node's `d` edges are sampled, their weights are multiplied by `d / k`, so
    that sums are unbiased estimates of the sums over all edges. Means, maxima and attention are
    over the sampled edges.

    A batch depends only on `seed`, the epoch and its index. All batches are padded, with masks, to
    the largest number of nodes and edges that can be sampled, so that XLA compiles once.

    Args:
        graph: dict of arrays, see `GraphLayer`: `node_features` `(nodes, dim)`, `edge_index`
            `(2, edges)`, and optionally `edge_weight`, `edge_mask`, `node_mask`, and the
            `source_scale` from `normalize_graph`, which gives `GCNLayer` the degrees in the whole
            graph. Masked edges and edges of masked nodes are never sampled.
        labels: int array `(nodes,)`.
        nodes: int array. Unique indices of the nodes to train on.
        fanouts: sequence of ints.
        batch_size: int.
        shuffle: bool. Whether to shuffle the nodes in each epoch.
        seed: int.
        epoch: int. The number of the first epoch; may be set as an attribute.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sampler[index]` is a tuple of a graph dict (`node_features`, `node_mask`, `edge_index`,
        `edge_weight`, and `source_scale` if given), labels `(nodes,)`, and sample weights
        `(nodes,)`: 1 for the seed nodes, which come first, and 0 for all other and masked nodes.

    Raises:
        ValueError: if an index is out of range, a node occurs twice, lengths do not match, or an
            unmasked node has a NaN feature.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import NeighborSampler
    >>> ring = np.arange(100)
    >>> graph = {
    ...     "node_features": np.eye(100, 16, dtype="float32"),
    ...     "edge_index": np.stack([ring, (ring + 1) % 100]),
    ... }
    >>> sampler = NeighborSampler(graph, ring % 2, nodes=ring[:60], fanouts=(5, 5), batch_size=20)
    >>> inputs, labels, weights = sampler[0]
    >>> len(sampler), labels.shape, int(weights.sum()), int(inputs["node_mask"].sum())
    (3, (100,), 20, 44)

    Reference:
        Hamilton et al., "Inductive Representation Learning on Large Graphs", 2017, algorithm 2.
    """

    def __init__(
        self,
        graph,
        labels,
        nodes,
        fanouts=(15, 10),
        batch_size=1024,
        shuffle=True,
        seed=0,
        epoch=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        graph = {key: value for key, value in graph.items() if value is not None}
        unknown = sorted(set(graph) - {*NODE_KEYS, *EDGE_KEYS})
        if unknown or not {"node_features", "edge_index"} <= set(graph):
            raise ValueError(
                "`graph` must have 'node_features' and 'edge_index', and may have "
                f"{', '.join(map(repr, (*NODE_KEYS[1:], *EDGE_KEYS[1:])))}. Received: "
                f"{', '.join(map(repr, sorted(graph)))}"
            )
        self.node_values = {key: np.asarray(graph[key]) for key in NODE_KEYS if key in graph}
        self.num_nodes = len(self.node_values["node_features"])
        self.edges = SortedEdges.from_graph(graph)
        node_mask = graph.get("node_mask")
        self.node_mask = None if node_mask is None else np.asarray(node_mask).astype("bool")
        self.labels = np.asarray(labels)
        self.nodes = np.asarray(nodes)
        self.fanouts = tuple(fanouts)
        self.batch_size = min(batch_size, len(self.nodes))
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = epoch
        self._check()
        self.node_budget, self.edge_budget = self._compute_budgets()

    def _check(self):
        check_nan_features(self.node_values["node_features"], self.node_mask)
        if len(self.labels) != self.num_nodes:
            raise ValueError(
                f"`labels` must have a label for each of the {self.num_nodes} nodes. Received: "
                f"{len(self.labels)}"
            )
        if not len(self.nodes) or len(np.unique(self.nodes)) != len(self.nodes):
            raise ValueError("`nodes` must be unique node indices, at least one.")
        if self.nodes.min() < 0 or self.nodes.max() >= self.num_nodes:
            raise ValueError(
                f"`nodes` must be in [0, {self.num_nodes}). Received: {self.nodes.min()} to "
                f"{self.nodes.max()}"
            )
        if not self.fanouts or min(*self.fanouts, self.batch_size) < 1:
            raise ValueError(
                "`fanouts` must be positive ints, one per graph layer, and `batch_size` must be "
                f"positive. Received: fanouts={self.fanouts}, batch_size={self.batch_size}"
            )

    def _compute_budgets(self):
        """Returns the largest numbers of nodes and edges that a batch can have."""
        newest, nodes, edges = self.batch_size, self.batch_size, 0
        for fanout in self.fanouts:
            newest *= fanout
            nodes += newest
            edges += newest
        return min(nodes, self.num_nodes), max(1, min(edges, len(self.edges)))

    def __len__(self):
        return math.ceil(len(self.nodes) / self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in [0, {len(self)}). Received: {index}")
        order = np.arange(len(self.nodes))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        return self._make_batch(self.nodes[chosen], rng)

    def _make_batch(self, seeds, rng):
        nodes, sampled, weights = self._sample(seeds, rng)
        rows, edges = self.node_budget, self.edge_budget
        edge_index = find_positions(self.edges.edge_index[:, sampled], nodes)
        inputs = {
            **{key: _pad(value[nodes], rows) for key, value in self.node_values.items()},
            "node_mask": np.arange(rows) < len(nodes),
            "edge_index": _pad(edge_index, edges, axis=1).astype("int32"),
            "edge_weight": _pad(weights.astype("float32"), edges),
        }
        weights = np.arange(rows) < len(seeds)
        if self.node_mask is not None:
            inputs["node_mask"] &= _pad(self.node_mask[nodes], rows)
            weights &= inputs["node_mask"]
        return inputs, _pad(self.labels[nodes], rows), weights.astype("float32")

    def _sample(self, seeds, rng):
        """Returns the nodes, seeds first, the indices of the sampled edges, and their weights."""
        nodes, newest = seeds, seeds
        sampled, weights = [], []
        for fanout in self.fanouts:
            edges, edge_weights = self.edges.sample(newest, fanout, rng)
            sampled.append(edges)
            weights.append(edge_weights)
            newest = np.setdiff1d(self.edges.edge_index[0, edges], nodes)
            nodes = np.concatenate([nodes, newest])
        return nodes, np.concatenate(sampled), np.concatenate(weights)

    def on_epoch_end(self):
        self.epoch += 1

    def as_dataset(self):
        """Returns the batches as a prefetching `tf.data.Dataset`, one epoch per pass."""
        import tensorflow as tf

        def batches():
            yield from (self[index] for index in range(len(self)))
            self.on_epoch_end()

        signature = keras.tree.map_structure(
            lambda value: tf.TensorSpec(value.shape, value.dtype), self[0]
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)


def _pad(array, length, axis=0):
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, length - array.shape[axis])
    return np.pad(array, widths)

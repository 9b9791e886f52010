"""Mini-batches of a graph that is too large for one step."""

import math

import keras
import numpy as np

from keras_mmfusion.graphs.incoming_edges import IncomingEdges, places_of
from keras_mmfusion.graphs.known_nodes import check_known_nodes

NODE_KEYS = ("node_features", "source_scale")
EDGE_KEYS = ("edge_index", "edge_weight", "edge_mask", "node_mask", "edge_order")


class NeighborSampler(keras.utils.PyDataset):
    """Batches of nodes, each with the part of the graph around it: some neighbors of neighbors.

    Of the edges into each node of a batch up to `fanouts[0]` are drawn, without replacement; of
    the edges into each node that these come from, up to `fanouts[1]`, and so on: a fanout for each
    graph layer of the model. Where `k` of the `d` edges into a node are drawn, their weights are
    multiplied by `d / k`, so that a layer's sum estimates the sum over all edges without bias, and
    a mean, a maximum or attention is over what was drawn.

    A batch depends on `seed`, the epoch and its own index alone. All batches have the same shapes,
    so that XLA compiles once: as many nodes and edges as could be drawn; the rest is masked.

    Args:
        graph: dict of arrays, see `GraphLayer`: `node_features` `(nodes, dim)`, `edge_index`
            `(2, edges)`, and optionally `edge_weight`, `edge_mask`, `node_mask`, and
            `source_scale`, of `normalize_graph`, which `GCNLayer` needs to know the degrees in the
            whole graph. A masked edge, and an edge from or to a masked node, is never drawn.
        labels: int array `(nodes,)`.
        nodes: int array. The nodes to train on, each once.
        fanouts: sequence of ints.
        batch_size: int.
        shuffle: bool. Visit the nodes in a new random order each epoch.
        seed: int.
        epoch: int. The number of the first epoch; an attribute that may be set.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sampler[index]` is a tuple of a graph's dict (`node_features`, `node_mask`, `edge_index`,
        `edge_weight`, and `source_scale` if it was given), labels `(nodes,)`, and weights
        `(nodes,)`: 1 for the batch's own nodes, which come first, and 0 for all others, and for
        nodes that the graph's `node_mask` masks.

    Raises:
        ValueError: if an index is out of range, a node comes twice, lengths do not fit, or a node
            that `node_mask` does not mask has a feature that is NaN.

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
        self.edges = IncomingEdges.of_graph(graph)
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
        self.node_budget, self.edge_budget = self._budgets()

    def _check(self):
        check_known_nodes(self.node_values["node_features"], self.node_mask)
        if len(self.labels) != self.num_nodes:
            raise ValueError(
                f"`labels` must have a label for each of {self.num_nodes} nodes. Received: "
                f"{len(self.labels)}"
            )
        if not len(self.nodes) or len(np.unique(self.nodes)) != len(self.nodes):
            raise ValueError("`nodes` must be nodes of the graph, at least one, each once.")
        if self.nodes.min() < 0 or self.nodes.max() >= self.num_nodes:
            raise ValueError(
                f"`nodes` must be in [0, {self.num_nodes}). Received: {self.nodes.min()} to "
                f"{self.nodes.max()}"
            )
        if not self.fanouts or min(*self.fanouts, self.batch_size) < 1:
            raise ValueError(
                "`fanouts` must be positive ints, one for each graph layer, and `batch_size` "
                f"positive. Received: fanouts={self.fanouts}, batch_size={self.batch_size}"
            )

    def _budgets(self):
        """The most nodes and edges that a batch can have."""
        new, nodes, edges = self.batch_size, self.batch_size, 0
        for fanout in self.fanouts:
            new *= fanout
            nodes += new
            edges += new
        return min(nodes, self.num_nodes), max(1, min(edges, len(self.edges)))

    def __len__(self):
        return math.ceil(len(self.nodes) / self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be from 0 to {len(self) - 1}. Received: {index}")
        order = np.arange(len(self.nodes))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        return self._batch(self.nodes[chosen], rng)

    def _batch(self, seeds, rng):
        nodes, drawn, weights = self._sample(seeds, rng)
        rows, edges = self.node_budget, self.edge_budget
        edge_index = places_of(self.edges.ends(drawn), nodes)
        inputs = {
            **{key: _padded(value[nodes], rows) for key, value in self.node_values.items()},
            "node_mask": np.arange(rows) < len(nodes),
            "edge_index": _padded(edge_index, edges, axis=1).astype("int32"),
            "edge_weight": _padded(weights.astype("float32"), edges),
        }
        weights = np.arange(rows) < len(seeds)
        if self.node_mask is not None:
            inputs["node_mask"] &= _padded(self.node_mask[nodes], rows)
            weights &= inputs["node_mask"]
        return inputs, _padded(self.labels[nodes], rows), weights.astype("float32")

    def _sample(self, seeds, rng):
        """The nodes, seeds first, the edges among them that were drawn, and the edges' weights."""
        nodes, newest = seeds, seeds
        drawn, weights = [], []
        for fanout in self.fanouts:
            edges, scale = self.edges.draw(newest, fanout, rng)
            drawn.append(edges)
            weights.append(scale)
            newest = np.setdiff1d(self.edges.ends(edges)[0], nodes)
            nodes = np.concatenate([nodes, newest])
        return nodes, np.concatenate(drawn), np.concatenate(weights)

    def on_epoch_end(self):
        self.epoch += 1

    def as_dataset(self):
        """The batches as a `tf.data.Dataset`: an epoch in each pass, drawn ahead of the model."""
        import tensorflow as tf

        def batches():
            yield from (self[index] for index in range(len(self)))
            self.on_epoch_end()

        signature = keras.tree.map_structure(
            lambda value: tf.TensorSpec(value.shape, value.dtype), self[0]
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)


def _padded(array, length, axis=0):
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, length - array.shape[axis])
    return np.pad(array, widths)

"""A graph's edges sorted by target, for sampling neighbors."""

import numpy as np

from keras_mmfusion.graphs.edge_arrays import as_array


class SortedEdges:
    """Edges of a graph, sorted by target.

    Args:
        edge_index: int array `(2, edges)`, sources and targets.
        num_nodes: int.
        edge_weight: float array `(edges,)`, or `None` for ones.

    Raises:
        ValueError: if an index is out of range, or a shape does not fit.
    """

    def __init__(self, edge_index, num_nodes, edge_weight=None):
        edge_index = np.asarray(edge_index)
        _check_shape(edge_index)
        _check_range(edge_index, num_nodes)
        order = np.argsort(edge_index[1], kind="stable")
        self.num_nodes = num_nodes
        self.edge_index = edge_index[:, order]
        self.weight = np.ones(len(order), "float32")
        if edge_weight is not None:
            if np.shape(edge_weight) != (len(order),):
                raise ValueError(
                    f"`edge_weight` must have the shape ({len(order)},), one weight per edge. "
                    f"Received shape: {np.shape(edge_weight)}"
                )
            self.weight = np.asarray(edge_weight, "float32")[order]
        degrees = np.bincount(edge_index[1], minlength=num_nodes)
        self.starts = np.concatenate([[0], np.cumsum(degrees)])

    @classmethod
    def from_graph(cls, graph):
        """Takes the edges of a graph dict, see `GraphLayer`, except for masked ones.

        An edge is masked if its `edge_mask` is `False` or if either of its nodes is masked.
        """
        edge_index, num_nodes = np.asarray(graph["edge_index"]), len(graph["node_features"])
        _check_shape(edge_index)
        keep = _read_mask(graph, "edge_mask", edge_index.shape[1])
        _check_range(edge_index[:, keep], num_nodes)
        node_mask = _read_mask(graph, "node_mask", num_nodes)
        keep &= node_mask[np.where(keep, edge_index, 0)].all(axis=0)
        weight = graph.get("edge_weight")
        if weight is not None:
            weight = as_array("edge_weight", weight, keep.shape)[keep]
        return cls(edge_index[:, keep], num_nodes, weight)

    def __len__(self):
        return self.edge_index.shape[1]

    def sample(self, nodes, number, rng):
        """Samples up to `number` incoming edges of each node, without replacement.

        Args:
            nodes: int array.
            number: int.
            rng: `numpy.random.Generator`.

        Returns:
            Two arrays of the same length: the indices of the sampled edges, and their weights,
            multiplied by the node's degree over the number of edges sampled for it.
        """
        starts = self.starts[nodes]
        degrees = self.starts[nodes + 1] - starts
        offsets = np.broadcast_to(np.arange(number), (len(nodes), number)).copy()
        many = degrees > number
        offsets[many] = _sample_distinct(degrees[many], number, rng)
        is_edge = np.arange(number) < degrees[:, np.newaxis]
        edges = (starts[:, np.newaxis] + offsets)[is_edge]
        sampled = np.minimum(degrees, number)
        scale = np.repeat(degrees / np.maximum(sampled, 1), sampled)
        return edges, self.weight[edges] * scale.astype("float32")

    def split(self, edges_per_part):
        """Yields ranges of nodes `(first, end)` with at most `edges_per_part` incoming edges.

        A node with more edges is a range of its own.
        """
        first = 0
        while first < self.num_nodes:
            limit = self.starts[first] + edges_per_part
            end = int(np.searchsorted(self.starts, limit, side="right")) - 1
            end = min(max(end, first + 1), first + edges_per_part, self.num_nodes)
            yield first, end
            first = end


def _check_shape(edge_index):
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise ValueError(
            f"`edge_index` must have the shape (2, edges). Received: {edge_index.shape}"
        )


def _check_range(edge_index, num_nodes):
    if edge_index.size and not 0 <= edge_index.min() <= edge_index.max() < num_nodes:
        raise ValueError(
            f"`edge_index` must be in [0, {num_nodes}), for {num_nodes} nodes. Received: "
            f"{edge_index.min()} to {edge_index.max()}"
        )


def _read_mask(graph, name, size):
    """Returns a mask of a graph as bool `(size,)`, all `True` if the graph does not have it."""
    mask = graph.get(name)
    return np.ones(size, "bool") if mask is None else as_array(name, mask, (size,)).astype("bool")


def _sample_distinct(sizes, number, rng):
    """Samples `number` distinct ints below each size, uniformly over all subsets.

    Robert Floyd's algorithm for all rows at once: a repeated number is replaced by the largest
    one that could have been sampled.
    """
    sampled = np.empty((len(sizes), number), "int64")
    for column in range(number):
        largest = sizes - number + column
        new = np.floor(rng.random(len(sizes)) * (largest + 1)).astype("int64")
        repeated = (sampled[:, :column] == new[:, np.newaxis]).any(axis=1)
        sampled[:, column] = np.where(repeated, largest, new)
    return sampled


def find_positions(values, nodes):
    """Returns the position of each value in `nodes`, which must contain it."""
    order = np.argsort(nodes)
    return order[np.searchsorted(nodes, values, sorter=order)]

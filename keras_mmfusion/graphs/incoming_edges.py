"""A graph's edges by the node that they go to, from which any number can be drawn."""

import numpy as np

from keras_mmfusion.graphs.edge_arrays import as_array


class IncomingEdges:
    """The edges of a graph, sorted by target.

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
                    f"`edge_weight` must have the shape ({len(order)},), as the edges. Received: "
                    f"{np.shape(edge_weight)}"
                )
            self.weight = np.asarray(edge_weight, "float32")[order]
        degrees = np.bincount(edge_index[1], minlength=num_nodes)
        self.starts = np.concatenate([[0], np.cumsum(degrees)])

    @classmethod
    def of_graph(cls, graph):
        """The edges of a graph's dict, see `GraphLayer`, without those that a mask leaves out.

        What stands in a masked edge does not matter. An edge from or to a masked node is none.
        """
        edge_index, num_nodes = np.asarray(graph["edge_index"]), len(graph["node_features"])
        _check_shape(edge_index)
        keep = _mask(graph, "edge_mask", edge_index.shape[1])
        _check_range(edge_index[:, keep], num_nodes)
        here = _mask(graph, "node_mask", num_nodes)
        keep &= here[np.where(keep, edge_index, 0)].all(axis=0)
        weight = graph.get("edge_weight")
        if weight is not None:
            weight = as_array("edge_weight", weight, keep.shape)[keep]
        return cls(edge_index[:, keep], num_nodes, weight)

    def __len__(self):
        return self.edge_index.shape[1]

    def ends(self, edges):
        """Sources and targets `(2, edges)` of some edges."""
        return self.edge_index[:, edges]

    def draw(self, nodes, number, rng):
        """Draws up to `number` of the edges into each node, without replacement.

        Args:
            nodes: int array.
            number: int.
            rng: `numpy.random.Generator`.

        Returns:
            The drawn edges, and their weights times the number of edges into the node over the
            number of those drawn: two arrays of one length.
        """
        starts = self.starts[nodes]
        degrees = self.starts[nodes + 1] - starts
        offsets = np.broadcast_to(np.arange(number), (len(nodes), number)).copy()
        many = degrees > number
        offsets[many] = _distinct(degrees[many], number, rng)
        is_edge = np.arange(number) < degrees[:, np.newaxis]
        edges = (starts[:, np.newaxis] + offsets)[is_edge]
        drawn = np.minimum(degrees, number)
        scale = np.repeat(degrees / np.maximum(drawn, 1), drawn)
        return edges, self.weight[edges] * scale.astype("float32")

    def parts(self, edges_per_part):
        """Ranges of nodes `(first, last + 1)` with about as many edges into them as wanted."""
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


def _mask(graph, name, size):
    """A mask of a graph as bool `(size,)`, all `True` if it has none."""
    mask = graph.get(name)
    return np.ones(size, "bool") if mask is None else as_array(name, mask, (size,)).astype("bool")


def _distinct(sizes, number, rng):
    """For each size `number` different ints below it, all sets of them equally likely.

    Robert Floyd's algorithm, for all rows at once: what was drawn before is replaced by the
    largest number that could be drawn.
    """
    drawn = np.empty((len(sizes), number), "int64")
    for place in range(number):
        largest = sizes - number + place
        new = np.floor(rng.random(len(sizes)) * (largest + 1)).astype("int64")
        again = (drawn[:, :place] == new[:, np.newaxis]).any(axis=1)
        drawn[:, place] = np.where(again, largest, new)
    return drawn


def places_of(values, nodes):
    """Where in `nodes` each value stands."""
    order = np.argsort(nodes)
    return order[np.searchsorted(nodes, values, sorter=order)]

"""An undirected graph whose nodes have sparse attributes, such as a social network."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.graphs.labeled_graph import LabeledGraph


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class AttributedGraph:
    """An undirected graph whose nodes have sparse attributes and ids, such as a social network.

    Args:
        node_ids: string array `(nodes,)`, distinct.
        edges: int array `(2, edges)` of node indices, each edge once, in either direction.
        attribute_index: int array `(2, entries)`: the node and the attribute of each nonzero entry.
        attribute_values: float array `(entries,)`.
        num_attributes: int.
        labels: int array `(nodes,)`, -1 for an unknown class; or `None`.

    Raises:
        ValueError: if a shape or an index is invalid, an id or an edge is repeated, an edge is a
            self-loop, or a value is not finite. The message contains the ids of the nodes.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import AttributedGraph
    >>> friends = AttributedGraph(
    ...     node_ids=np.array(["ann", "bob", "eve"]),
    ...     edges=np.array([[0, 1], [1, 2]]),
    ...     attribute_index=np.array([[0, 2], [1, 0]]),
    ...     attribute_values=np.array([1.0, 1.0]),
    ...     num_attributes=2,
    ... )
    >>> friends
    AttributedGraph(nodes=3, edges=2, attributes=2, entries=2)
    >>> friends.edge_index.tolist()
    [[0, 1, 1, 2], [1, 2, 0, 1]]
    """

    node_ids: np.ndarray
    edges: np.ndarray
    attribute_index: np.ndarray
    attribute_values: np.ndarray
    num_attributes: int
    labels: np.ndarray | None = None

    def __post_init__(self):
        ids = np.asarray(self.node_ids, "str")
        distinct, counts = np.unique(ids, return_counts=True)
        if ids.ndim != 1 or np.any(counts > 1):
            repeated = ", ".join(distinct[counts > 1][:5].tolist())
            raise ValueError(f"`node_ids` must be a list of distinct ids. Repeated: {repeated}")
        edges = _check_index("edges", self.edges, (len(ids), len(ids)))
        entries = _check_index(
            "attribute_index", self.attribute_index, (len(ids), self.num_attributes)
        )
        values = np.asarray(self.attribute_values, "float32")
        if values.shape != entries.shape[1:]:
            raise ValueError(
                f"`attribute_values` must have the shape ({entries.shape[1]},), one for each "
                f"column of `attribute_index`. Received shape: {values.shape}"
            )
        invalid = np.flatnonzero(~np.isfinite(values))
        if len(invalid):
            node = ids[entries[0, invalid[0]]]
            raise ValueError(
                f"`attribute_values` must be finite. Received: {values[invalid[0]]} for node "
                f"{str(node)!r}"
            )
        if self.labels is not None and np.shape(self.labels) != ids.shape:
            raise ValueError(
                f"`labels` must have the shape ({len(ids)},), one for each node. Received shape: "
                f"{np.shape(self.labels)}"
            )
        _check_edges(ids, edges)
        for name, array in (
            ("node_ids", ids),
            ("edges", edges),
            ("attribute_index", entries),
            ("attribute_values", values),
        ):
            object.__setattr__(self, name, array)

    def __repr__(self):
        return short_repr(
            self,
            nodes=self.num_nodes,
            edges=self.edges.shape[1],
            attributes=self.num_attributes,
            entries=len(self.attribute_values),
        )

    @property
    def num_nodes(self):
        """The number of nodes."""
        return len(self.node_ids)

    @property
    def edge_index(self):
        """The edges in both directions, int32 `(2, 2 · edges)`, as graph layers expect."""
        return make_symmetric(self.edges)

    def without_attributes(self):
        """Returns the graph with a single attribute for each node, its identity."""
        nodes = np.arange(self.num_nodes)
        return dataclasses.replace(
            self,
            attribute_index=np.stack([nodes, nodes]),
            attribute_values=np.ones(self.num_nodes),
            num_attributes=self.num_nodes,
        )

    def without_edges(self):
        """Returns the graph without edges."""
        return dataclasses.replace(self, edges=np.zeros((2, 0), "int32"))

    def find_nodes(self, ids):
        """Returns the indices of nodes.

        Args:
            ids: list of strings.

        Returns:
            int array `(ids,)`.

        Raises:
            ValueError: if an id is unknown.
        """
        index = {each: node for node, each in enumerate(self.node_ids.tolist())}
        unknown = [each for each in ids if each not in index]
        if unknown:
            raise ValueError(
                f"`ids` must be ids of nodes, such as {self.node_ids[0].item()!r}. Unknown: "
                f"{', '.join(map(repr, unknown[:5]))}"
            )
        return np.array([index[each] for each in ids], "int64")

    def label_nodes(self, train_nodes, validation_nodes, test_nodes):
        """Returns the graph for node classification, with dense attributes.

        Args:
            train_nodes, validation_nodes, test_nodes: int arrays, see `split_nodes`.

        Returns:
            `LabeledGraph`.

        Raises:
            ValueError: if the graph has no `labels`.
        """
        if self.labels is None:
            raise ValueError("`labels` must be given to classify nodes. Received: None")
        features = np.zeros((self.num_nodes, self.num_attributes), "float32")
        np.add.at(features, tuple(self.attribute_index), self.attribute_values)
        return LabeledGraph(
            node_features=features,
            edge_index=self.edge_index,
            labels=np.asarray(self.labels, "int32"),
            train_nodes=np.asarray(train_nodes),
            validation_nodes=np.asarray(validation_nodes),
            test_nodes=np.asarray(test_nodes),
        )


def make_symmetric(edges):
    """Returns undirected edges in both directions.

    Args:
        edges: int array `(2, edges)`, each edge once.

    Returns:
        int32 array `(2, 2 · edges)`.
    """
    return np.concatenate([edges, edges[::-1]], axis=1).astype("int32")


def number_pairs(pairs, num_nodes):
    """Returns a number for each pair of nodes that does not depend on their order.

    Args:
        pairs: int array `(2, ...)`.
        num_nodes: int.

    Returns:
        int64 array `(...)`.
    """
    low, high = np.minimum(*pairs).astype("int64"), np.maximum(*pairs).astype("int64")
    return low * num_nodes + high


def _check_index(name, index, sizes):
    """Returns an index as int32, after checking its shape and the range of each row."""
    index = np.asarray(index)
    if index.ndim != 2 or len(index) != 2 or (index.size and index.dtype.kind not in "iu"):
        raise ValueError(
            f"`{name}` must be integers of the shape (2, any). Received: {index.dtype} of shape "
            f"{index.shape}"
        )
    for row, size in zip(index, sizes, strict=True):
        if row.size and not 0 <= row.min() <= row.max() < size:
            raise ValueError(
                f"`{name}` must be in [0, {size}). Received: {row.min()} to {row.max()}"
            )
    return index.astype("int32")


def _check_edges(ids, edges):
    loops = np.flatnonzero(edges[0] == edges[1])
    if len(loops):
        raise ValueError(
            f"`edges` must not have self-loops. Received {len(loops)}, first for node "
            f"{ids[edges[0, loops[0]]].item()!r}"
        )
    _, first, counts = np.unique(
        number_pairs(edges, len(ids)), return_index=True, return_counts=True
    )
    if np.any(counts > 1):
        source, target = ids[edges[:, first[counts > 1][0]]].tolist()
        raise ValueError(
            f"`edges` must contain each edge once, in either direction. {np.sum(counts > 1)} are "
            f"repeated, first {source!r} to {target!r}"
        )

"""A graph with node labels and splits."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.graphs.nan_features import check_nan_features
from keras_mmfusion.graphs.table_nodes import NAMES_HINT


@dataclasses.dataclass(frozen=True, repr=False)
class LabeledGraph:
    """A graph for node classification: features, edges, labels and splits.

    Args:
        node_features: float32 array `(nodes, dim)`.
        edge_index: int32 array `(2, edges)`, both directions of each edge.
        labels: int32 array `(nodes,)`, -1 for an unknown class.
        train_nodes: int array. Indices of the training nodes.
        validation_nodes: int array.
        test_nodes: int array.

    Raises:
        ValueError: if a shape or an index is invalid, a feature is NaN, splits overlap, or a node
            of a split has no label.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import LabeledGraph
    >>> data = LabeledGraph(
    ...     node_features=np.eye(3, dtype="float32"),
    ...     edge_index=np.array([[0, 1], [1, 0]], "int32"),
    ...     labels=np.array([0, 1, 1], "int32"),
    ...     train_nodes=np.array([0]),
    ...     validation_nodes=np.array([1]),
    ...     test_nodes=np.array([2]),
    ... )
    >>> data.num_classes, sorted(data.graph)
    (2, ['edge_index', 'node_features'])
    """

    node_features: np.ndarray
    edge_index: np.ndarray
    labels: np.ndarray
    train_nodes: np.ndarray
    validation_nodes: np.ndarray
    test_nodes: np.ndarray

    def __post_init__(self):
        nodes = len(self.node_features)
        for name, rank in (("node_features", 2), ("labels", 1)):
            shape = getattr(self, name).shape
            if len(shape) != rank or shape[0] != nodes:
                raise ValueError(
                    f"`{name}` must have {rank} axes, the first of size {nodes}, the number of "
                    f"nodes. Received shape: {shape}"
                )
        check_nan_features(self.node_features)
        if self.edge_index.ndim != 2 or len(self.edge_index) != 2:
            raise ValueError(
                f"`edge_index` must have the shape (2, edges). Received: {self.edge_index.shape}"
            )
        splits = {name: getattr(self, name) for name in _SPLITS}
        for name, index in {"edge_index": self.edge_index, **splits}.items():
            if index.size and index.dtype.kind not in "iu":
                raise ValueError(f"`{name}` must be integers. {NAMES_HINT} Received: {index.dtype}")
            if index.size and not 0 <= index.min() <= index.max() < nodes:
                raise ValueError(
                    f"`{name}` must be in [0, {nodes}), for {nodes} nodes. Received: "
                    f"{index.min()} to {index.max()}"
                )
        chosen = np.concatenate(list(splits.values()))
        if len(np.unique(chosen)) != len(chosen):
            raise ValueError("`train_nodes`, `validation_nodes` and `test_nodes` must not overlap.")
        if np.any(self.labels[chosen] < 0):
            raise ValueError("`labels` must have a class for each node of a split.")

    def __repr__(self):
        nodes, dim = self.node_features.shape
        splits = {name: len(getattr(self, name)) for name in _SPLITS}
        return short_repr(self, nodes=nodes, dim=dim, edges=self.edge_index.shape[1], **splits)

    @property
    def num_classes(self):
        """The number of classes."""
        return int(self.labels.max()) + 1

    @property
    def graph(self):
        """The graph as a dict, see `GraphLayer`."""
        return {"node_features": self.node_features, "edge_index": self.edge_index}


_SPLITS = ("train_nodes", "validation_nodes", "test_nodes")

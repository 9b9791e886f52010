import keras
from keras import ops

from keras_mmfusion.layers.graph.core.gcn_normalization import remove_scales
from keras_mmfusion.layers.graph.transforms.graph_dropout import GraphDropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class EdgeDropout(GraphDropout):
    """Drops random edges during training (DropEdge).

    ```
    keep_e = u_e >= rate,  u_e uniform in [0, 1)
    ```

    The remaining edges are not rescaled: `GCNLayer` normalizes by them. The two directions of an
    undirected edge are independent.

    Args:
        rate: float in [0, 1). Fraction of edges to drop.
        seed: int or `None`.

    Call arguments:
        graph: dict, see `GraphLayer`.
        training: bool. Whether dropout is active.

    Output shape:
        The graph with an `edge_mask`, or with zeros in its `adjacency`; without the scales of
        `normalize_graph`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import EdgeDropout, GCNLayer
    >>> graph = {
    ...     "node_features": np.ones((3, 8), "float32"),
    ...     "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
    ... }
    >>> output = GCNLayer(4)(EdgeDropout(0.5, seed=0)(graph, training=True))

    Reference:
        Rong et al., "DropEdge: Towards Deep Graph Convolutional Networks on Node Classification",
        2020, section 3.1.
    """

    def call(self, graph, mask=None, training=False):
        self.parse(graph, mask)
        graph = self.get_entries(graph)
        if "adjacency" in graph:
            adjacency = graph["adjacency"]
            keep = self.sample_mask(ops.shape(adjacency), training)
            kept = ops.where(keep, adjacency, ops.zeros_like(adjacency))
            return {**remove_scales(graph), "adjacency": kept}
        keep = self.sample_mask(ops.shape(graph["edge_index"])[1:], training)
        if "edge_mask" in graph:
            keep = ops.logical_and(keep, graph["edge_mask"])
        return {**remove_scales(graph), "edge_mask": keep}

    def get_changes(self, graph):
        if graph.get("adjacency") is not None:
            return {"adjacency": graph["adjacency"].dtype}
        return {"edge_mask": "bool"}

import keras
from keras import ops

from keras_mmfusion.layers.graph.core.gcn_normalization import without_scales
from keras_mmfusion.layers.graph.transforms.graph_dropout import GraphDropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class NodeDropout(GraphDropout):
    """Drops nodes of a graph in training, with all their edges.

    ```
    keep_i = u_i >= rate,  u_i uniform in [0, 1)
    ```

    A dropped node is masked: it sends nothing, its own output is zeros, and poolings do without
    it, as if its modality were missing. Where nodes are what is classified, and none may go, drop
    what they send instead: `keras.layers.Dropout(rate, noise_shape=(None, 1))`.

    Args:
        rate: float in [0, 1). Share of nodes dropped.
        seed: int or `None`.

    Call arguments:
        graph: dict, see `GraphLayer`; not bipartite.
        training: bool. Whether to drop.

    Output shape:
        The graph with a `node_mask`, without the scales of `normalize_graph`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphMeanPooling, NodeDropout
    >>> graph = {"node_features": np.ones((3, 8), "float32"), "edge_index": np.zeros((2, 0), int)}
    >>> pooled = GraphMeanPooling()(NodeDropout(0.5, seed=0)(graph, training=True))

    Reference:
        You et al., "Graph Contrastive Learning with Augmentations", 2020, section 3.1.
    """

    def call(self, graph, mask=None, training=False):
        self.read(graph, mask)
        graph = self.entries(graph)
        keep = self.draw_kept(ops.shape(graph["node_features"])[:-1], training)
        given = graph.get("node_mask", (mask or {}).get("node_features"))
        if given is not None:
            keep = ops.logical_and(keep, ops.cast(given, "bool"))
        return {**without_scales(graph), "node_mask": keep}

    def changes(self, graph):
        return {"node_mask": "bool"}

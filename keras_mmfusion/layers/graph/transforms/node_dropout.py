import keras
from keras import ops

from keras_mmfusion.layers.graph.core.gcn_normalization import remove_scales
from keras_mmfusion.layers.graph.transforms.graph_dropout import GraphDropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class NodeDropout(GraphDropout):
    """Drops random nodes and their edges during training.

    ```
    keep_i = u_i >= rate,  u_i uniform in [0, 1)
    ```

    A dropped node is masked: it sends no messages, its output is zero, and poolings ignore it. To
    classify nodes, drop the features of random nodes instead:
    `keras.layers.Dropout(rate, noise_shape=(None, 1))`.

    Args:
        rate: float in [0, 1). Fraction of nodes to drop.
        seed: int or `None`.

    Call arguments:
        graph: dict, see `GraphLayer`; not bipartite.
        training: bool. Whether dropout is active.

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
        self.parse(graph, mask)
        graph = self.get_entries(graph)
        keep = self.sample_mask(ops.shape(graph["node_features"])[:-1], training)
        node_mask = graph.get("node_mask", (mask or {}).get("node_features"))
        if node_mask is not None:
            keep = ops.logical_and(keep, ops.cast(node_mask, "bool"))
        return {**remove_scales(graph), "node_mask": keep}

    def get_changes(self, graph):
        return {"node_mask": "bool"}

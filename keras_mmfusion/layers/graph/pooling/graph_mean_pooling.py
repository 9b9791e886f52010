import keras

from keras_mmfusion.layers.graph.pooling.graph_pooling import GraphPooling


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphMeanPooling(GraphPooling):
    """Averages the nodes of each graph: `y_g = Σ_{i in g} h_i / |g|`.

    Call arguments: see `GraphPooling`.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphMeanPooling
    >>> x = np.array([[2.0], [1.0], [2.0]])
    >>> graph = {"node_features": x, "graph_index": np.array([0, 1, 1])}
    >>> GraphMeanPooling()(graph).__array__().tolist()
    [[2.0], [1.5]]
    """

    def pool(self, x, nodes):
        return nodes.mean(x)

import keras

from keras_mmfusion.layers.graph.pooling.graph_pooling import GraphPooling


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphMaxPooling(GraphPooling):
    """Takes the elementwise maximum over the nodes of each graph: `y_g = max_{i in g} h_i`.

    Call arguments: see `GraphPooling`.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphMaxPooling
    >>> x = np.array([[2.0], [1.0], [3.0]])
    >>> graph = {"node_features": x, "graph_index": np.array([0, 1, 1])}
    >>> GraphMaxPooling()(graph).__array__().tolist()
    [[2.0], [3.0]]
    """

    def pool(self, x, nodes):
        return nodes.max(x)

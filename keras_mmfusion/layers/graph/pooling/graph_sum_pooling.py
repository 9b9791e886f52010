import keras

from keras_mmfusion.layers.graph.pooling.graph_pooling import GraphPooling


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphSumPooling(GraphPooling):
    """Sums the nodes of each graph: `y_g = Σ_{i in g} h_i`.

    Call arguments: see `GraphPooling`.

    Output shape:
        `(graphs, dim)`, or `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphSumPooling
    >>> graph = {"node_features": np.ones((3, 2)), "graph_index": np.array([0, 1, 1])}
    >>> GraphSumPooling()(graph).__array__().tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """

    def pool(self, x, nodes):
        return nodes.sum(x)

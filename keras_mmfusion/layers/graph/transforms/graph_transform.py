import keras

from keras_mmfusion.layers.cast_input import cast_mask
from keras_mmfusion.layers.graph.core.gcn_normalization import without_scales
from keras_mmfusion.layers.graph.core.graph_layer import GraphLayer


class GraphTransform(GraphLayer):
    """What layers share whose output is a graph: a new dict, with some of its entries changed.

    What is dropped is masked, not taken out, so that shapes stay the same and known. A
    normalization that `normalize_graph` wrote is left out, since it no longer holds.

    A transform of your own implements `change(read, graph, mask, training)`, which returns a dict
    of the new entries, and names them with their dtypes in `changes(graph)`.
    """

    def entries(self, graph):
        """The entries that the graph has, its masks as bool."""
        return {
            key: cast_mask(x) if key.endswith("_mask") else x
            for key, x in graph.items()
            if x is not None
        }

    def changes(self, graph):
        """Names of the changed entries -> dtypes, for a graph of tensors."""
        raise NotImplementedError(f"{type(self).__name__} must implement `changes`.")

    def compute_output_spec(self, graph, mask=None, training=None):
        features = graph["node_features"]
        shapes = {"node_mask": features.shape[:-1]}
        if graph.get("edge_index") is not None:
            shapes["edge_mask"] = graph["edge_index"].shape[1:]
        given = self.entries(without_scales(graph))
        specs = {key: keras.KerasTensor(x.shape, dtype=x.dtype) for key, x in given.items()}
        for key, dtype in self.changes(graph).items():
            shape = given[key].shape if key in given else shapes[key]
            specs[key] = keras.KerasTensor(shape, dtype=dtype)
        return specs

    def compute_mask(self, inputs, mask=None):
        return None

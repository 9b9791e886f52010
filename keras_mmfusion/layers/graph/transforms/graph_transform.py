import keras

from keras_mmfusion.layers.cast_input import cast_mask
from keras_mmfusion.layers.graph.core.gcn_normalization import remove_scales
from keras_mmfusion.layers.graph.core.graph_layer import GraphLayer


class GraphTransform(GraphLayer):
    """Base class of layers that map a graph to a graph.

    The output is a new dict. Nodes and edges are masked instead of removed, so that shapes stay
    static. The scales of `normalize_graph` are removed, since they no longer apply.

    A subclass implements `call(graph, mask, training)`, and `get_changes(graph)`, which names the
    entries that change.
    """

    def get_entries(self, graph):
        """Returns the graph's entries that are not `None`, with masks as bool."""
        return {
            key: cast_mask(x) if key.endswith("_mask") else x
            for key, x in graph.items()
            if x is not None
        }

    def get_changes(self, graph):
        """Returns a dict, name of a changed entry -> dtype."""
        raise NotImplementedError(f"{type(self).__name__} must implement `get_changes`.")

    def compute_output_spec(self, graph, mask=None, training=None):
        features = graph["node_features"]
        shapes = {"node_mask": features.shape[:-1]}
        if graph.get("edge_index") is not None:
            shapes["edge_mask"] = graph["edge_index"].shape[1:]
        entries = self.get_entries(remove_scales(graph))
        specs = {key: keras.KerasTensor(x.shape, dtype=x.dtype) for key, x in entries.items()}
        for key, dtype in self.get_changes(graph).items():
            shape = entries[key].shape if key in entries else shapes[key]
            specs[key] = keras.KerasTensor(shape, dtype=dtype)
        return specs

    def compute_mask(self, inputs, mask=None):
        return None

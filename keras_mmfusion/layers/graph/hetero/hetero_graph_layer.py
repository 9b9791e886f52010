import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.graph.core.graph_inputs import (
    check_dtypes,
    check_shapes,
    read_graph,
    shapes_of,
)
from keras_mmfusion.layers.masks import zero_masked

OF_NODES = ("node_features", "node_mask", "entity_index", "entity_mask")
OF_EDGES = ("edge_index", "edge_weight", "edge_mask", "adjacency")


class HeteroGraphLayer(keras.layers.Layer):
    """What the layers of typed graphs share: several node sets, and several relations of edges.

    A layer of your own implements `build_layer(dims)`, which makes the weights, and `call`.

    **A typed graph** is a dict of dicts:

    - `node_features`: node type -> float tensor `(nodes, dim)`; nodes and dims may differ. In later
      calls, `None` or no entry for a node type that is not there, such as a missing modality.
    - `edge_index`: `(source type, relation, target type)` -> int tensor `(2, edges)`. In later
      calls, no entry for a relation without edges.
    - `edge_weight`, `edge_mask`: the same keys -> tensor `(edges,)`, optional.
    - `node_mask`: node type -> bool tensor `(nodes,)`, optional.
    - `entity_index`, `entity_mask`, optional: only `GraphFusion` needs them.

    A batch of dense graphs has node features `(batch, nodes, dim)`, and instead of `edge_index` an
    `adjacency`: the same keys -> `(batch, targets, sources)`. See `GraphLayer` for what they mean.

    Keys may also be strings, `"source/relation/target"`. The inputs of a functional model need
    them, since a saved model's JSON has no tuples for keys.

    The output is a dict, node type -> tensor `(nodes, units)` or `(batch, nodes, units)`.

    Args:
        units: int. Size of the output.
        activation: a name or function for the output. Defaults to none.
    """

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = check_integer(self, "units", units)
        self.activation = keras.activations.get(activation)
        self.supports_masking = True

    def __call__(self, graph, *args, **kwargs):
        # At the door, since Keras writes the shapes and the call of a layer to JSON.
        return super().__call__(with_string_keys(graph), *args, **kwargs)

    def build(self, graph_shape):
        edges = self._edges_of(graph_shape)
        dims = {key: shape[-1] for key, shape in graph_shape["node_features"].items()}
        for relation in edges:
            source, target = self._ends(relation, dims)
            self._check_relation(relation, graph_shape, source, target)
        self.relations = sorted(edges)
        self.node_types = sorted(dims)
        self.build_layer(dims)

    def build_layer(self, dims):
        """Makes the weights for `self.relations`. `dims` is a dict, node type -> dim."""

    def read(self, graph):
        """For each relation of the graph, in the layer's order, a `GraphInputs`: a dict."""
        edges = self._edges_of(graph)
        unknown = sorted(set(edges) - set(self.relations))
        unknown += sorted(set(graph["node_features"]) - set(self.node_types))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: the graph has {unknown[0]!r}, which was not there in the "
                f"first call: {', '.join([*self.node_types, *self.relations])}."
            )
        present = {key for key, x in graph["node_features"].items() if x is not None}
        reads = {}
        for relation in self.relations:
            source, target = self.split(relation)
            if edges.get(relation) is None or not {source, target} <= present:
                continue
            part = self._part(graph, relation, source, target)
            name = f"{type(self).__name__}, relation {relation!r}"
            check_shapes(name, shapes_of(part))
            check_dtypes(name, part)
            reads[relation] = read_graph(name, part, dtype=self.compute_dtype)
        return reads

    def finish(self, graph, outputs, reads):
        """The outputs with the activation, zeros for masked nodes, NaN if an index was wrong."""
        faults = [read.fault for read in reads.values() if read.fault is not None]
        finished = {}
        for node_type, x in outputs.items():
            x = zero_masked(self.activation(x), self._node_mask(graph, node_type))
            finished[node_type] = x + ops.cast(sum(faults), x.dtype) if faults else x
        return finished

    def features(self, graph):
        """The features of the node types that are there, zeros where masked."""
        return {
            node_type: zero_masked(
                cast_input(self, graph["node_features"][node_type]),
                self._node_mask(graph, node_type),
            )
            for node_type in self.node_types
            if graph["node_features"].get(node_type) is not None
        }

    def _node_mask(self, graph, node_type):
        return (graph.get("node_mask") or {}).get(node_type)

    def split(self, relation):
        """A relation's source type and target type."""
        source, _, target = relation.split("/")
        return source, target

    def _edges_of(self, graph):
        name = type(self).__name__
        if not isinstance(graph, dict) or not isinstance(graph.get("node_features"), dict):
            raise ValueError(
                f"{name}: a typed graph must be a dict with a dict 'node_features', node type -> "
                f"tensor. Received: {graph!r}"
            )
        unknown = sorted(set(graph) - {*OF_NODES, *OF_EDGES})
        if unknown:
            raise ValueError(
                f"{name}: the graph has {unknown[0]!r}, which is none of "
                f"{', '.join((*OF_NODES, *OF_EDGES))}."
            )
        dense = graph.get("adjacency") is not None
        if dense == (graph.get("edge_index") is not None):
            raise ValueError(
                f"{name}: a typed graph has either 'edge_index' or 'adjacency', a dict of "
                f"relations. Received: {', '.join(sorted(graph))}"
            )
        return graph["adjacency" if dense else "edge_index"]

    def _ends(self, relation, node_types):
        parts = relation.split("/")
        if len(parts) != 3 or not {parts[0], parts[2]} <= set(node_types):
            raise ValueError(
                f"{type(self).__name__}: a relation must be (source type, name, target type), with "
                f"types of {', '.join(map(repr, sorted(node_types)))} and no '/' in names. "
                f"Received: {relation!r}"
            )
        return parts[0], parts[2]

    def _check_relation(self, relation, shapes, source, target):
        part = self._part(shapes, relation, source, target)
        name = f"{type(self).__name__}, relation {relation!r}"
        check_shapes(name, part)
        if None in (part["node_features"][-1], part["target_features"][-1]):
            raise ValueError(f"{name}: features need a dim that is known.")

    def _part(self, graph, relation, source, target):
        """The relation's edges as a bipartite graph."""
        part = {
            "node_features": graph["node_features"][source],
            "target_features": graph["node_features"][target],
            **{key: (graph.get(key) or {}).get(relation) for key in OF_EDGES},
        }
        part["node_mask"] = self._node_mask(graph, source)
        part["target_mask"] = self._node_mask(graph, target)
        return {key: value for key, value in part.items() if value is not None}

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, graph_shape):
        return {
            node_type: (*shape[:-1], self.units)
            for node_type, shape in sorted(graph_shape["node_features"].items())
            if shape is not None
        }

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


def with_string_keys(graph):
    """A typed graph with `"source/relation/target"` in place of tuples; else what it is."""
    if not isinstance(graph, dict):
        return graph
    return {
        key: {
            "/".join(relation) if isinstance(relation, tuple) else relation: x
            for relation, x in value.items()
        }
        if isinstance(value, dict)
        else value
        for key, value in graph.items()
    }

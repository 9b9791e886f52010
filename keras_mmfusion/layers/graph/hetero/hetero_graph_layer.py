import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.graph.core.graph_checks import check_shapes
from keras_mmfusion.layers.graph.core.graph_inputs import add_nan, parse_graph
from keras_mmfusion.layers.masks import zero_masked

NODE_KEYS = ("node_features", "node_mask", "entity_index", "entity_mask")
EDGE_KEYS = ("edge_index", "edge_weight", "edge_mask", "adjacency")


class HeteroGraphLayer(keras.layers.Layer):
    """Base class of layers for heterogeneous graphs, with several node types and relations.

    A subclass creates weights in `build_layer(dims)`, and implements `call(graph)`.

    **A heterogeneous graph** is a dict of dicts:

    - `node_features`: node type -> float tensor `(nodes, dim)`. Numbers of nodes and dims may
      differ. After the first call, a node type may be `None` or absent, such as a missing modality.
    - `edge_index`: `(source type, relation, target type)` -> int tensor `(2, edges)`. After the
      first call, a relation may be absent.
    - `edge_weight`, `edge_mask`: the same keys -> tensor `(edges,)`, optional.
    - `node_mask`: node type -> bool tensor `(nodes,)`, optional.
    - `entity_index`, `entity_mask`, optional: only used by `GraphFusion`.

    A batch of dense graphs has node features `(batch, nodes, dim)`, and instead of `edge_index` an
    `adjacency`: the same keys -> `(batch, targets, sources)`. `GraphLayer` documents each entry.

    Keys may also be strings, `"source/relation/target"`. The inputs of a functional model need
    string keys, since a saved model is JSON.

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
        # Convert tuple keys to strings first: Keras records call shapes as JSON.
        return super().__call__(join_relations(graph), *args, **kwargs)

    def build(self, graph_shape):
        edges = self._get_edges(graph_shape)
        dims = {key: shape[-1] for key, shape in graph_shape["node_features"].items()}
        for relation in edges:
            self._check_relation(relation, graph_shape)
        self.relations = sorted(edges)
        self.node_types = sorted(dims)
        self.build_layer(dims)

    def build_layer(self, dims):
        """Creates the weights for `self.relations`. `dims` is a dict, node type -> dim."""

    def parse(self, graph):
        """Validates a graph and returns a dict, relation -> `GraphInputs`.

        Relations are in the order of the layer; absent ones are omitted.
        """
        edges = self._get_edges(graph)
        unknown = sorted(set(edges) - set(self.relations))
        unknown += sorted(set(graph["node_features"]) - set(self.node_types))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: the layer was built without {unknown[0]!r}. Received at "
                f"build: {', '.join([*self.node_types, *self.relations])}."
            )
        known = {key for key, x in graph["node_features"].items() if x is not None}
        inputs = {}
        for relation in self.relations:
            if edges.get(relation) is not None and set(self.split_relation(relation)) <= known:
                name = f"{type(self).__name__}, relation {relation!r}"
                bipartite = self._make_bipartite(graph, relation)
                inputs[relation] = parse_graph(name, bipartite, dtype=self.compute_dtype)
        return inputs

    def get_features(self, graph):
        """Returns the features of the node types in the graph, zeros for masked nodes."""
        return {
            node_type: zero_masked(
                cast_input(self, graph["node_features"][node_type]),
                self._get_node_mask(graph, node_type),
            )
            for node_type in self.node_types
            if graph["node_features"].get(node_type) is not None
        }

    def mask_outputs(self, graph, outputs, inputs):
        """Applies the activation and masks the outputs.

        Outputs of masked nodes are zero. All outputs are NaN if an index is invalid.

        Args:
            graph: dict of dicts.
            outputs: dict, node type -> tensor.
            inputs: dict, relation -> `GraphInputs`.
        """
        invalid = [x.nan_if_invalid for x in inputs.values() if x.nan_if_invalid is not None]
        nan_if_invalid = sum(invalid) if invalid else None
        return {
            node_type: add_nan(
                zero_masked(self.activation(x), self._get_node_mask(graph, node_type)),
                nan_if_invalid,
            )
            for node_type, x in outputs.items()
        }

    def split_relation(self, relation):
        """Returns a relation's source type and target type."""
        source, _, target = relation.split("/")
        return source, target

    def _get_node_mask(self, graph, node_type):
        return (graph.get("node_mask") or {}).get(node_type)

    def _get_edges(self, graph):
        """Returns the graph's `edge_index` or `adjacency`, after checks of the graph's keys."""
        name = type(self).__name__
        if not isinstance(graph, dict) or not isinstance(graph.get("node_features"), dict):
            raise ValueError(
                f"{name}: a heterogeneous graph must be a dict with a dict 'node_features', node "
                f"type -> tensor. Received: {graph!r}"
            )
        check_hetero_keys(name, graph)
        dense = graph.get("adjacency") is not None
        if dense == (graph.get("edge_index") is not None):
            raise ValueError(
                f"{name}: a heterogeneous graph must have either 'edge_index' or 'adjacency', a "
                f"dict of relations. Received: {', '.join(sorted(graph))}"
            )
        return graph["adjacency" if dense else "edge_index"]

    def _check_relation(self, relation, shapes):
        node_types = shapes["node_features"]
        parts = relation.split("/")
        if len(parts) != 3 or not {parts[0], parts[2]} <= set(node_types):
            raise ValueError(
                f"{type(self).__name__}: a relation must be (source type, name, target type), with "
                f"types of {', '.join(map(repr, sorted(node_types)))} and no '/' in names. "
                f"Received: {relation!r}"
            )
        bipartite = self._make_bipartite(shapes, relation)
        name = f"{type(self).__name__}, relation {relation!r}"
        check_shapes(name, bipartite)
        if None in (bipartite["node_features"][-1], bipartite["target_features"][-1]):
            raise ValueError(f"{name}: the last dim of the features must be static.")

    def _make_bipartite(self, graph, relation):
        """Returns one relation as a bipartite graph; `graph` may also hold shapes."""
        source, target = self.split_relation(relation)
        bipartite = {
            "node_features": graph["node_features"][source],
            "target_features": graph["node_features"][target],
            "node_mask": self._get_node_mask(graph, source),
            "target_mask": self._get_node_mask(graph, target),
            **{key: (graph.get(key) or {}).get(relation) for key in EDGE_KEYS},
        }
        return {key: value for key, value in bipartite.items() if value is not None}

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


def check_hetero_keys(name, graph):
    """Checks the keys of a heterogeneous graph.

    Raises:
        ValueError: if a key is unknown.
    """
    known = (*NODE_KEYS, *EDGE_KEYS)
    unknown = sorted(set(graph) - set(known))
    if unknown:
        raise ValueError(
            f"{name}: unknown key {unknown[0]!r} in the graph. Known keys: {', '.join(known)}"
        )


def join_relations(graph):
    """Replaces relations as tuples by strings, `"source/relation/target"`.

    Args:
        graph: dict, a heterogeneous graph or dict of tensors; other values are returned as they
            are.
    """
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

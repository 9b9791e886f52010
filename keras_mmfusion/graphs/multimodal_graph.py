import numpy as np

from keras_mmfusion.graphs.edge_arrays import as_array


class MultimodalGraph:
    """A heterogeneous graph of NumPy arrays: a node set per modality, and relations between them.

    `as_dict` returns the input of `RGCNLayer`, `HGTLayer` and `GraphFusion`. `connect_pairs`,
    `connect_neighbors`, `connect_plan`, `connect_times` and `connect_boxes` build edges.

    Args:
        node_features: dict, modality -> floats `(nodes, dim)`; sizes may differ.
        node_mask: dict, modality -> bool `(nodes,)`, `False` for a missing node, such as a product
            without a photo. Optional for modalities without missing nodes.
        entity_index: dict, modality -> ints `(nodes,)`: the entity that each node belongs to, for
            `GraphFusion`. By default, node `i` of every modality belongs to entity `i`.

    Attributes:
        node_features, node_mask, entity_index: dicts, modality -> array.
        edge_index: dict, `(source, relation, target)` -> int32 array `(2, edges)`.
        edge_weight: dict of the same keys -> float32 array `(edges,)`.

    Raises:
        ValueError: if a modality is unknown, a shape does not fit, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import (
    ...     HGTLayer, MultimodalGraph, connect_neighbors, connect_pairs)
    >>> image, text = np.random.rand(4, 8), np.random.rand(3, 5)
    >>> graph = MultimodalGraph({"image": image, "text": text})
    >>> graph.add_edges(("image", "similar", "image"), *connect_neighbors(image, neighbors=2))
    >>> graph.add_edges(("text", "describes", "image"), *connect_pairs([(0, 0), (1, 1), (2, 3)]))
    >>> graph.add_reversed(("text", "describes", "image"), "described_by")
    >>> print(graph)
    MultimodalGraph
      image: 4 nodes, 8 dims
      text: 3 nodes, 5 dims
      image -- similar -> image: 8 edges
      text -- describes -> image: 3 edges
      image -- described_by -> text: 3 edges
    >>> outputs = HGTLayer(16, num_heads=2)(graph.as_dict())
    >>> {modality: tuple(x.shape) for modality, x in outputs.items()}
    {'image': (4, 16), 'text': (3, 16)}

    Reference:
        Baltrušaitis et al., "Multimodal Machine Learning: A Survey and Taxonomy", 2019, section 5.
    """

    def __init__(self, node_features, node_mask=None, entity_index=None):
        if not isinstance(node_features, dict) or not node_features:
            raise ValueError(
                "`node_features` must be a dict, modality -> array (nodes, dim). Received: "
                f"{node_features!r}"
            )
        self.node_features = {
            modality: as_array(f"node_features[{modality!r}]", x, (None, None)).astype("float32")
            for modality, x in node_features.items()
        }
        self.node_mask = self._check_node_values("node_mask", node_mask, "bool")
        self.entity_index = self._check_node_values("entity_index", entity_index, "int32")
        if self.entity_index and set(self.entity_index) != set(self.node_features):
            raise ValueError(
                "`entity_index` must have an entry for every modality. Received: "
                f"{', '.join(self.entity_index)}"
            )
        if any(np.any(index < 0) for index in self.entity_index.values()):
            raise ValueError("`entity_index` must not have negative numbers.")
        self.edge_index = {}
        self.edge_weight = {}

    def _check_node_values(self, name, arrays, dtype):
        """Checks and casts arrays with one value per node, by modality."""
        checked = {}
        for modality, x in (arrays or {}).items():
            self._check_modality(name, modality)
            x = as_array(f"{name}[{modality!r}]", x, (self.num_nodes(modality),))
            if x.dtype.kind == "f":
                raise ValueError(f"`{name}` must be {dtype}. Received: {x.dtype}")
            checked[modality] = x.astype(dtype)
        return checked

    def _check_modality(self, name, modality):
        if modality not in self.node_features:
            raise ValueError(
                f"`{name}` has the modality {modality!r}, which is not one of the graph's: "
                f"{', '.join(map(repr, self.node_features))}."
            )

    def num_nodes(self, modality):
        """Returns the number of nodes of a modality, including missing ones."""
        return len(self.node_features[modality])

    def add_edges(self, relation, edge_index, edge_weight=None):
        """Adds a relation and its edges.

        Args:
            relation: tuple of strings, (source modality, name, target modality).
            edge_index: ints `(2, edges)`: indices of source nodes and of target nodes.
            edge_weight: floats `(edges,)`. Defaults to ones.
        """
        parts = relation if isinstance(relation, tuple) else ()
        if len(parts) != 3 or not all(isinstance(p, str) and "/" not in p for p in parts):
            raise ValueError(
                "`relation` must be a tuple (source modality, name, target modality), without '/' "
                f"in names. Received: {relation!r}"
            )
        for modality in (relation[0], relation[2]):
            self._check_modality("relation", modality)
        if relation in self.edge_index:
            raise ValueError(f"The graph already has the relation {relation!r}.")
        edge_index = as_array("edge_index", edge_index, (2, None))
        if edge_index.dtype.kind not in "iu":
            raise ValueError(f"`edge_index` must be integers. Received: {edge_index.dtype}")
        for row, modality in enumerate((relation[0], relation[2])):
            nodes = self.num_nodes(modality)
            wrong = edge_index[row][(edge_index[row] < 0) | (edge_index[row] >= nodes)]
            if wrong.size:
                raise ValueError(
                    f"`edge_index[{row}]` of {relation!r} must be in [0, {nodes}), for {nodes} "
                    f"nodes of {modality!r}. Received: {wrong[0]}"
                )
        edges = edge_index.shape[1]
        if edge_weight is None:
            edge_weight = np.ones(edges)
        edge_weight = as_array("edge_weight", edge_weight, (edges,))
        self.edge_index[relation] = edge_index.astype("int32")
        self.edge_weight[relation] = edge_weight.astype("float32")

    def add_reversed(self, relation, name):
        """Adds the reverse of a relation, since messages only travel from source to target.

        Args:
            relation: tuple, one of the graph's relations.
            name: string. Name of the reverse relation.
        """
        if relation not in self.edge_index:
            known = ", ".join(map(repr, self.edge_index)) or "none"
            raise ValueError(f"The graph has no relation {relation!r}. Its relations: {known}.")
        source, _, target = relation
        self.add_edges(
            (target, name, source), self.edge_index[relation][::-1], self.edge_weight[relation]
        )

    def as_dict(self):
        """Returns the graph as a dict, see `HeteroGraphLayer`. Arrays are not copied.

        With an `entity_index`, the dict also has an `entity_mask`, whose length is the number of
        entities.
        """
        names = ["node_features", "edge_index", "edge_weight"]
        names += [name for name in ("node_mask", "entity_index") if getattr(self, name)]
        graph = {name: dict(getattr(self, name)) for name in names}
        if self.entity_index:
            entities = max(index.max(initial=-1) for index in self.entity_index.values()) + 1
            graph["entity_mask"] = np.ones(entities, "bool")
        return graph

    def __repr__(self):
        lines = ["MultimodalGraph"]
        for modality, x in self.node_features.items():
            missing = np.sum(~self.node_mask.get(modality, np.ones(len(x), "bool")))
            note = f" ({missing} missing)" if missing else ""
            lines.append(f"  {modality}: {x.shape[0]} nodes{note}, {x.shape[1]} dims")
        for (source, name, target), index in self.edge_index.items():
            lines.append(f"  {source} -- {name} -> {target}: {index.shape[1]} edges")
        return "\n".join(lines)

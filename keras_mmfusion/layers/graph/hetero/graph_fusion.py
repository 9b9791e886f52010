import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.fusion_rule import leave_one_out
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.layers.graph.core.similar_nodes import find_similar_nodes
from keras_mmfusion.layers.graph.hetero.entity_pooling import count_entities, pool_entities
from keras_mmfusion.layers.graph.hetero.hetero_graph_layer import (
    EDGE_KEYS,
    HeteroGraphLayer,
    check_hetero_keys,
    join_relations,
)
from keras_mmfusion.layers.graph.hetero.hgt_layer import HGTLayer
from keras_mmfusion.layers.masks import average_tokens, ensure_mask, ensure_masks, zero_masked

# Arguments of `FusionBlock` that `GraphFusion` does not have.
UNSUPPORTED = ("strategy", "num_outputs", "num_stages")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphFusion(FusionBlock):
    """Fuses modalities over a graph of their nodes.

    ```
    h_m = LayerNorm(x_m W_m + b_m)                     for each modality m
    h_1, ..., h_n = Layer_l(h_1, ..., h_n; edges)      for each of the `graph_layers`
    z_me = mean of the nodes of modality m that belong to entity e
    y_e = rule(z_1e, ..., z_ne)
    ```

    An entity is the object that its nodes describe. There are two ways to call the layer:

    - **With modalities**, like any `FusionBlock`, for example as the `fusion` of a `FusionModel`.
      Each sample is an entity and a separate graph. Its tokens are the nodes, with a relation
      between every two modalities. Edges come from all nodes, or from the nearest `neighbors`.
    - **With a graph**, such as the result of `MultimodalGraph.as_dict`: many entities in one graph,
      with edges between them.

    A masked node is missing: it sends no messages, and its features, even NaN, have no effect.

    Args:
        modalities: sequence of strings. The names of the modalities, in the layer's order.
        graph_layers: list of `HeteroGraphLayer`, each with `dim` units. Defaults to two `HGTLayer`.
        neighbors: int or `None`. With modalities, each node gets edges from this many nodes of
            every modality, by the cosine similarity of `h`, which requires static numbers of
            tokens; `None` for edges from all nodes.
        combine: the rule: a name from `keras_mmfusion.layers.fusion.list_rules()`, or a
            `FusionRule`. A rule of tokens gets the nodes instead of their mean, except for a graph
            with an `edge_index`.
        dim: int. The size of the nodes, and of the output of a rule given by name.
        output: `"pooled"` for one vector per entity, or `"tokens"`, see `FusionBlock`; with the
            rule `"union"` these are all nodes.
        num_heads: int. Attention heads of the default layers, and of rules that have them.
        dropout: float. Dropout of the projected nodes, and in Transformer rules.
        placeholders: bool. Whether a learned node replaces a missing modality.
        **kwargs: arguments of `keras.layers.Layer`. The other arguments of `FusionBlock`,
            `strategy`, `num_outputs` and `num_stages`, are not supported.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)` or `(batch, dim)`, see
            `FusionBlock`. Or a heterogeneous graph, see `HeteroGraphLayer`, whose node types are
            the modalities, with

            - `entity_index`: modality -> int tensor `(nodes,)`. By default, node `i` of every
              modality belongs to entity `i`. It is not used with an `adjacency`, where each item
              of the batch is one entity.
            - `entity_mask`: bool tensor `(entities,)`, `False` for padding, whose output is zero.
              On JAX and under XLA, it is required with an `entity_index`, since its length
              determines the number of entities.
        mask: dict, modality -> bool tensor, see `FusionBlock`. A graph has a `node_mask` instead.
        return_mask, return_shares: see `FusionBlock`; a share is the change of the output without
            the modality's nodes.

    Output shape:
        `(batch, dim)`, or `(entities, dim)`; tokens `(batch, output_tokens, dim)`. With
        `return_mask` or `return_shares` a tuple, see `FusionBlock`.

    Raises:
        ValueError: see `FusionBlock` and `HeteroGraphLayer`; if a layer does not have `dim` units,
            or an index of an entity is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import GraphFusion, MultimodalGraph, connect_neighbors
    >>> fusion = GraphFusion(("image", "text"), dim=16)
    >>> inputs = {"image": np.random.rand(2, 9, 8), "text": np.random.rand(2, 5, 12)}
    >>> mask = {"text": np.array([[True] * 5, [False] * 5])}  # The second sample has no text.
    >>> tuple(fusion(inputs, mask=mask).shape)
    (2, 16)

    Four products with edges between similar images; the last one has no text:

    >>> image, text = np.random.rand(4, 8), np.random.rand(4, 12)
    >>> products = MultimodalGraph(
    ...     {"image": image, "text": text}, node_mask={"text": [True, True, True, False]})
    >>> products.add_edges(("image", "similar", "image"), *connect_neighbors(image, neighbors=2))
    >>> tuple(GraphFusion(("image", "text"), dim=16)(products.as_dict()).shape)
    (4, 16)

    Reference:
        Graph over modalities, with fused nodes: Wei et al., "MMGCN: Multi-modal Graph Convolution
        Network for Personalized Recommendation of Micro-video", 2019, section 3.
    """

    def __init__(
        self,
        modalities,
        graph_layers=None,
        neighbors=None,
        combine="weighted_sum",
        dim=128,
        output="pooled",
        num_heads=4,
        dropout=0.0,
        placeholders=False,
        **kwargs,
    ):
        unsupported = [name for name in UNSUPPORTED if name in kwargs]
        if unsupported:
            raise ValueError(
                f"GraphFusion: `{unsupported[0]}` is not supported; it is an argument of "
                f"`FusionBlock`. Received: {kwargs[unsupported[0]]!r}"
            )
        super().__init__(
            modalities,
            combine=combine,
            dim=dim,
            output=output,
            num_heads=num_heads,
            dropout=dropout,
            placeholders=placeholders,
            **kwargs,
        )
        if graph_layers is None:
            graph_layers = [
                HGTLayer(dim, num_heads, dtype=self.dtype_policy, name=f"graph_layer_{i}")
                for i in range(2)
            ]
        self.graph_layers = list(graph_layers)
        for layer in self.graph_layers:
            if not isinstance(layer, HeteroGraphLayer) or layer.units != dim:
                raise ValueError(
                    f"GraphFusion: `graph_layers` must be `HeteroGraphLayer`s with {dim} units, as "
                    f"`dim`. Received: {layer!r}"
                )
        self.neighbors = None if neighbors is None else check_integer(self, "neighbors", neighbors)

    def __call__(self, inputs, *args, **kwargs):
        # Convert tuple keys to strings first: Keras records call shapes as JSON.
        return super().__call__(join_relations(inputs), *args, **kwargs)

    def build(self, inputs_shape):
        is_graph = _is_graph(inputs_shape)
        features = inputs_shape["node_features"] if is_graph else inputs_shape
        super().build(features)
        edges = {key: inputs_shape[key] for key in EDGE_KEYS if is_graph and key in inputs_shape}
        rank = 2 if "edge_index" in edges else 3
        if not is_graph:
            edges = {"adjacency": dict.fromkeys(self._list_relations(), (None, None, None))}
        nodes = dict.fromkeys(features, (None,) * (rank - 1) + (self.dim,))
        for layer in self.graph_layers:
            if not layer.built:  # A deserialized layer may already be built.
                layer.build({"node_features": nodes, **edges})

    def _list_relations(self):
        return [f"{source}/to/{target}" for source in self.modalities for target in self.modalities]

    def call(self, inputs, mask=None, return_mask=False, return_shares=False, training=None):
        if return_mask and self.output_kind == "pooled":
            raise ValueError("GraphFusion: `return_mask` needs output='tokens'; vectors have none.")
        graph = {}
        if _is_graph(inputs):
            graph, inputs, mask = inputs, inputs["node_features"], inputs.get("node_mask")
            check_hetero_keys("GraphFusion", graph)
        inputs, mask = self.prepare_inputs(inputs, mask)
        nodes, mask = self.projection(inputs, ensure_masks(inputs, mask), training=training)

        def fuse(mask):
            tokens, tokens_mask = self._fuse(*self._apply_graph_layers(graph, nodes, mask))
            return zero_masked(tokens, graph.get("entity_mask")), tokens_mask

        tokens, tokens_mask = fuse(mask)
        results = [tokens if self.output_kind == "tokens" else average_tokens(tokens, tokens_mask)]
        if return_mask:
            results.append(ensure_mask(tokens, tokens_mask))
        if return_shares:
            results.append(leave_one_out(lambda mask: average_tokens(*fuse(mask)), mask))
        return tuple(results) if len(results) > 1 else results[0]

    def decide(self, inputs, mask=None):
        """Not supported: a `GraphFusion` has no decisions by modality."""
        raise ValueError("GraphFusion: `decide` is not supported; use a `FusionBlock`.")

    def _apply_graph_layers(self, graph, nodes, mask):
        """Applies the graph layers and averages nodes by entity.

        Args:
            graph: the input graph, or an empty dict.
            nodes: dict, modality -> tensor `(batch, nodes, dim)`, or `(nodes, 1, dim)` of a graph
                with an `edge_index`.
            mask: dict, modality -> bool tensor of these shapes without the last dim.

        Returns:
            A tuple of two dicts, modality -> tensor `(entities, nodes, dim)` and modality -> mask.
        """
        is_edge_list = graph.get("edge_index") is not None
        if is_edge_list:
            nodes = {name: ops.squeeze(x, 1) for name, x in nodes.items()}
            mask = {name: ops.squeeze(m, 1) for name, m in mask.items()}
        features, node_mask = nodes, mask
        edges = {key: graph[key] for key in EDGE_KEYS if graph.get(key) is not None}
        if graph:  # A modality that is absent from the graph has no nodes.
            features = {
                m: x for m, x in features.items() if graph["node_features"].get(m) is not None
            }
        else:
            edges = {"adjacency": self._connect_nodes(features, node_mask)}
        for layer in self.graph_layers:
            layer_mask = {name: node_mask[name] for name in features}
            features = layer({"node_features": features, "node_mask": layer_mask, **edges})
        if is_edge_list:
            name = type(self).__name__
            count = count_entities(name, graph, features)
            return pool_entities(name, graph, self.modalities, features, node_mask, count)
        return {**nodes, **features}, mask

    def _connect_nodes(self, features, node_mask):
        """Returns the adjacency of every relation between the modalities of a sample."""
        adjacency = {}
        for relation in self._list_relations():
            source, _, target = relation.split("/")
            ends = features[target], features[source]
            loops = source != target
            if self.neighbors is None:
                edges = _connect_all(*ends, loops)
            else:
                edges = find_similar_nodes(*ends, self.neighbors, node_mask[source], loops)
            adjacency[relation] = ops.cast(edges, self.compute_dtype)
        return adjacency

    def compute_output_spec(self, inputs, mask=None, **kwargs):
        if _is_graph(inputs):
            graph, inputs = inputs, inputs["node_features"]
            if graph.get("edge_index") is not None:
                entities = next(iter(inputs.values())).shape[0]
                if graph.get("entity_mask") is not None:
                    entities = graph["entity_mask"].shape[0]
                elif graph.get("entity_index"):
                    entities = None
                inputs = {
                    name: keras.KerasTensor((entities, *x.shape[1:])) for name, x in inputs.items()
                }
        return super().compute_output_spec(inputs, **kwargs)

    def get_config(self):
        config = super().get_config()
        for name in UNSUPPORTED:
            del config[name]
        return {
            **config,
            "graph_layers": [keras.saving.serialize_keras_object(x) for x in self.graph_layers],
            "neighbors": self.neighbors,
        }

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(x) for x in config["graph_layers"]]
        return super().from_config({**config, "graph_layers": layers})


def _connect_all(targets, sources, loops):
    """Returns all pairs of nodes, also masked ones: bool `(batch, targets, sources)`."""
    count = ops.shape(sources)[1]
    pairs = ops.ones((*ops.shape(targets)[:2], count), "bool")
    index = ops.arange(count)
    return pairs if loops else ops.logical_and(pairs, index[:, None] != index[None, :])


def _is_graph(inputs):
    return isinstance(inputs, dict) and isinstance(inputs.get("node_features"), dict)

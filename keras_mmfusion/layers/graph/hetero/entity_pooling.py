"""Pooling of the nodes of several modalities by entity."""

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_mask
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.graph_inputs import add_nan
from keras_mmfusion.layers.graph.core.node_index import check_index
from keras_mmfusion.layers.graph.core.tracing import is_concrete


def count_entities(name, graph, features):
    """Returns the number of entities of a graph: an int or a scalar tensor.

    Args:
        name: string. The layer's name for error messages.
        graph: dict, see `GraphFusion`.
        features: dict, modality -> tensor `(nodes, dim)`, of the modalities in the graph.
    """
    if graph.get("entity_mask") is not None:
        return ops.shape(graph["entity_mask"])[0]
    index = graph.get("entity_index") or {}
    if not index:
        numbers = {modality: ops.shape(x)[0] for modality, x in features.items()}
        known = {number for number in numbers.values() if isinstance(number, int)}
        if len(known) > 1:
            raise ValueError(
                f"{name}: without an 'entity_index', every modality must have one node per entity; "
                f"mask the missing ones. Received numbers of nodes: {numbers}"
            )
        return next(iter(numbers.values()))
    highest = [ops.max(each, initial=-1) for each in index.values()]
    if all(map(is_concrete, index.values())):
        return max(map(int, highest)) + 1
    if keras.config.backend() == "tensorflow":
        return ops.max(ops.stack([ops.cast(each, "int32") for each in highest])) + 1
    raise ValueError(
        f"{name}: in a compiled function, the number of entities must be static. Give the graph an "
        "'entity_mask' of shape (entities,), such as `np.ones(entities, bool)`."
    )


def pool_entities(name, graph, modalities, features, node_mask, count):
    """Averages each entity's nodes, by modality.

    Args:
        name, graph, features: as for `count_entities`.
        modalities: sequence of strings.
        node_mask: dict, modality -> bool tensor `(nodes,)`.
        count: int or scalar tensor. Number of entities.

    Returns:
        A tuple of two dicts: modality -> the means `(entities, 1, dim)`, zeros for an entity
        without a node, and modality -> the mask `(entities, 1)` of the entities with a node.
    """
    pooled, mask = {}, {}
    other = next(iter(features.values()))
    for modality in modalities:
        x = features.get(modality)
        if x is None:
            pooled[modality] = ops.zeros((count, 1, other.shape[-1]), other.dtype)
            mask[modality] = ops.zeros((count, 1), "bool")
            continue
        index = (graph.get("entity_index") or {}).get(modality)
        nan_if_invalid = None
        if index is None:
            index = ops.arange(ops.shape(x)[0], dtype="int32")
        else:
            key = f"entity_index[{modality!r}]"
            index, nan_if_invalid = check_index(name, key, index, count)
        nodes = EdgeList(
            None, index, None, count, ops.cast(cast_mask(node_mask[modality]), "float32")
        )
        pooled[modality] = ops.expand_dims(add_nan(nodes.mean(x), nan_if_invalid), 1)
        mask[modality] = ops.expand_dims(nodes.compute_target_degree() > 0, 1)
    return pooled, mask

"""Reference implementations of graph layers in NumPy float64, and random graphs."""

import typing
from collections.abc import Callable

import numpy as np
from layer_checks import to_numpy

from keras_mmfusion.layers.graph import GATLayer, GCNLayer, GINLayer, SAGELayer

NODES, DIM = 7, 5


def random_graph(seed=0, nodes=NODES, edges=16, dim=DIM, targets=None, loops=True):
    """A directed graph with weights, duplicate edges, a self-loop and a node without edges."""
    rng = np.random.default_rng(seed)
    source = rng.integers(0, nodes - 1, edges)
    target = rng.integers(0, (nodes if targets is None else targets) - 1, edges)
    if not loops:
        target = np.where(source == target, (target + 1) % (nodes - 1), target)
    elif targets is None:
        target[0] = source[0]
    source[-1], target[-1] = source[1], target[1]
    graph = {
        "node_features": rng.normal(size=(nodes, dim)).astype("float32"),
        "edge_index": np.stack([source, target]).astype("int32"),
        "edge_weight": rng.uniform(0.5, 2, edges).astype("float32"),
    }
    if targets is not None:
        graph["target_features"] = rng.normal(size=(targets, dim)).astype("float32")
    return graph


def add_masks(graph):
    """Masks a node that has edges, and an edge."""
    node_mask = np.arange(len(graph["node_features"])) != int(graph["edge_index"][0, 2])
    edge_mask = np.arange(graph["edge_index"].shape[1]) != 1
    return {**graph, "node_mask": node_mask, "edge_mask": edge_mask}


def as_dense(graph):
    """Converts to a batch of one adjacency matrix; duplicate edges add up."""
    features = {
        key: graph[key][None]
        for key in ("node_features", "target_features", "node_mask", "target_mask")
        if key in graph
    }
    return {**features, "adjacency": compute_adjacency(graph)[None].astype("float32")}


def compute_adjacency(graph):
    targets = graph.get("target_features", graph["node_features"])
    matrix = np.zeros((len(targets), len(graph["node_features"])))
    for source, target, weight in list_edges(graph):
        matrix[target, source] += weight
    return matrix


def list_edges(graph):
    """Yields (source, target, weight) of every edge that is neither masked nor at a masked node."""
    weights = graph.get("edge_weight", np.ones(graph["edge_index"].shape[1]))
    keep = graph.get("edge_mask", np.ones(len(weights), "bool"))
    node_mask = graph.get("node_mask", np.ones(len(graph["node_features"]), "bool"))
    for source, target, weight, kept in zip(*graph["edge_index"], weights, keep, strict=True):
        if kept and node_mask[source] and ("target_features" in graph or node_mask[target]):
            yield int(source), int(target), float(weight)


def get_features(graph):
    """Returns the features of sources and targets in float64, zeros for masked nodes."""
    x = np.float64(graph["node_features"])
    if "node_mask" in graph:
        x = np.where(graph["node_mask"][:, None], x, 0)
    return x, np.float64(graph["target_features"]) if "target_features" in graph else x


def reference_gcn(layer, graph):
    a, (x, targets) = compute_adjacency(graph), get_features(graph)
    if targets is x:
        a = a + layer.self_loops * (1 + layer.improved) * np.eye(len(x))
        column_degree = row_degree = a.sum(axis=1)
    else:
        row_degree, column_degree = a.sum(axis=1), a.sum(axis=0)
    root = [np.diag(np.where(d > 0, d, np.inf) ** -0.5) for d in (row_degree, column_degree)]
    x = x if layer.units is None else x @ get_kernel(layer.projection)
    return root[0] @ a @ root[1] @ x + np.float64(to_numpy(layer.bias))


def reference_gat(layer, graph):
    x, targets = get_features(graph)
    edges = list(list_edges(graph))
    if targets is x and layer.self_loops:
        edges = [edge for edge in edges if edge[0] != edge[1]] + [(i, i, 1) for i in range(len(x))]
    heads = (layer.num_heads, layer.head_dim)
    source_h = (x @ get_kernel(layer.source_projection)).reshape(-1, *heads)
    target_h = (targets @ get_kernel(layer.target_projection)).reshape(-1, *heads)
    source_a = np.float64(to_numpy(layer.source_score))
    output = np.zeros(target_h.shape)
    for i in range(len(targets)):
        into = [edge for edge in edges if edge[1] == i]
        if not into:
            continue
        scores = []
        for j, _, _ in into:
            if layer.version == 1:
                target_a = np.float64(to_numpy(layer.target_score))
                score = leaky_relu((target_a * target_h[i] + source_a * source_h[j]).sum(axis=1))
            else:
                score = (source_a * leaky_relu(target_h[i] + source_h[j])).sum(axis=1)
            scores.append(score)
        powers = np.exp(scores) * np.array([[w] for _, _, w in into])
        for alpha, (j, _, _) in zip(powers / powers.sum(axis=0), into, strict=True):
            output[i] += alpha[:, None] * source_h[j]
    merged = (
        output.reshape(len(targets), layer.num_heads * layer.head_dim)
        if layer.concatenate
        else output.mean(axis=1)
    )
    return merged + np.float64(to_numpy(layer.bias))


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def reference_sage(layer, graph):
    x, targets = get_features(graph)
    if layer.aggregation == "max":
        x = np.maximum(apply_dense(layer.pool_dense, x), 0)
    neighbors = np.zeros((len(targets), x.shape[1]))
    for i in range(len(targets)):
        into = [(x[j], w) for j, target, w in list_edges(graph) if target == i]
        if into and layer.aggregation == "max":
            neighbors[i] = np.max([h for h, _ in into], axis=0)
        elif into:
            neighbors[i] = sum(w * h for h, w in into) / sum(w for _, w in into)
    own = targets @ get_kernel(layer.self_dense)
    return own + neighbors @ get_kernel(layer.neighbor_dense) + np.float64(to_numpy(layer.bias))


def reference_gin(layer, graph):
    x, targets = get_features(graph)
    epsilon = float(to_numpy(layer.epsilon)) if layer.learn_epsilon else 0
    total = (1 + epsilon) * targets
    for j, i, w in list_edges(graph):
        total[i] += w * x[j]
    return apply_dense(layer.output_dense, np.maximum(apply_dense(layer.hidden_dense, total), 0))


def get_kernel(layer):
    return np.float64(to_numpy(layer.kernel))


def apply_dense(layer, x):
    return x @ get_kernel(layer) + np.float64(to_numpy(layer.bias))


class LayerCase(typing.NamedTuple):
    """A layer to test: `make(**kwargs)` creates it, `reference(layer, graph)` computes outputs."""

    make: Callable
    reference: Callable


LAYERS = {
    "gcn": LayerCase(lambda **kw: GCNLayer(4, **kw), reference_gcn),
    "gcn_wide": LayerCase(lambda **kw: GCNLayer(6, **kw), reference_gcn),
    "gcn_improved": LayerCase(lambda **kw: GCNLayer(4, improved=True, **kw), reference_gcn),
    "gcn_without_loops": LayerCase(lambda **kw: GCNLayer(4, self_loops=False, **kw), reference_gcn),
    "gcn_without_kernel": LayerCase(lambda **kw: GCNLayer(**kw), reference_gcn),
    "gat": LayerCase(lambda **kw: GATLayer(4, num_heads=3, **kw), reference_gat),
    "gat_averaged": LayerCase(
        lambda **kw: GATLayer(4, num_heads=3, concatenate=False, **kw), reference_gat
    ),
    "gat_v2": LayerCase(lambda **kw: GATLayer(4, num_heads=3, version=2, **kw), reference_gat),
    "gat_without_loops": LayerCase(
        lambda **kw: GATLayer(4, num_heads=2, self_loops=False, **kw), reference_gat
    ),
    "sage_mean": LayerCase(lambda **kw: SAGELayer(4, **kw), reference_sage),
    "sage_max": LayerCase(lambda **kw: SAGELayer(4, "max", **kw), reference_sage),
    "gin": LayerCase(lambda **kw: GINLayer(4, hidden_dim=6, **kw), reference_gin),
    "gin_0": LayerCase(lambda **kw: GINLayer(4, learn_epsilon=False, **kw), reference_gin),
}


def make_layer(name, graph):
    """Returns a built layer with large random weights."""
    return randomize(LAYERS[name].make(), graph)


def randomize(layer, *inputs, seed=1):
    """Builds a layer and assigns large random weights."""
    layer(*inputs)
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return layer

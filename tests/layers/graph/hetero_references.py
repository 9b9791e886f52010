"""Reference implementations of heterogeneous graph layers in NumPy float64, and a random graph."""

import math

import numpy as np
from graph_references import apply_dense
from layer_checks import to_numpy

NODES = {"audio": 3, "image": 6, "text": 4}
RELATIONS = {
    ("image", "near", "image"): 9,
    ("image", "shows", "text"): 7,
    ("audio", "tells", "text"): 5,
    ("text", "of", "image"): 6,
}


def random_hetero_graph(seed=0, dims=(("audio", 3), ("image", 5), ("text", 4)), weights=True):
    """A graph of three node sets and four relations; the last node of each set has no edge."""
    rng = np.random.default_rng(seed)
    graph = {
        "node_features": {
            name: rng.normal(size=(NODES[name], dim)).astype("float32") for name, dim in dims
        },
        "edge_index": {
            (source, relation, target): np.stack(
                [rng.integers(0, NODES[end] - 1, edges) for end in (source, target)]
            ).astype("int32")
            for (source, relation, target), edges in RELATIONS.items()
        },
    }
    for index in graph["edge_index"].values():
        index[:, -1] = index[:, 0]  # A duplicate edge.
    if weights:
        graph["edge_weight"] = {
            relation: rng.uniform(0.5, 2, edges).astype("float32")
            for relation, edges in RELATIONS.items()
        }
    return graph


def as_dense(graph):
    """Converts to a batch of one adjacency matrix per relation."""
    adjacency = {}
    for source, relation, target in graph["edge_index"]:
        matrix = np.zeros((1, NODES[target], NODES[source]), "float32")
        for j, i, weight in list_edges(graph, (source, relation, target)):
            matrix[0, i, j] += weight
        adjacency[source, relation, target] = matrix
    features = {name: x[None] for name, x in graph["node_features"].items()}
    masks = {name: mask[None] for name, mask in graph.get("node_mask", {}).items()}
    return {"node_features": features, "adjacency": adjacency, "node_mask": masks}


def list_edges(graph, relation):
    """Yields (source, target, weight) of each unmasked edge of a relation."""
    index = graph["edge_index"][relation]
    weights = graph.get("edge_weight", {}).get(relation, np.ones(index.shape[1]))
    kept = graph.get("edge_mask", {}).get(relation, np.ones(index.shape[1], "bool"))
    masks = graph.get("node_mask", {})
    for j, i, weight, keep in zip(*index, weights, kept, strict=True):
        ends = ((relation[0], j), (relation[2], i))
        if keep and all(masks.get(name, np.ones(99, "bool"))[node] for name, node in ends):
            yield int(j), int(i), float(weight)


def get_features(graph):
    """Returns the features in float64, zeros for masked nodes."""
    features = {}
    for name, x in graph["node_features"].items():
        mask = graph.get("node_mask", {}).get(name, np.ones(len(x), "bool"))
        features[name] = np.where(mask[:, None], np.float64(x), 0)
    return features


def reference_rgcn(layer, graph):
    features = get_features(graph)
    outputs = {name: apply_dense(layer.self_denses[name], x) for name, x in features.items()}
    for relation in graph["edge_index"]:
        key = "/".join(relation)
        if layer.num_bases is None:
            kernel = np.float64(to_numpy(layer.kernels[key]))
        else:
            shares = np.float64(to_numpy(layer.shares))[layer.relations.index(key)]
            kernel = np.tensordot(shares, np.float64(to_numpy(layer.bases)), 1)
        source, _, target = relation
        for i in range(len(features[target])):
            into = [(j, w) for j, end, w in list_edges(graph, relation) if end == i]
            if into:
                total = sum(w * features[source][j] for j, w in into)
                outputs[target][i] += total / sum(w for _, w in into) @ kernel
    return outputs


def reference_hgt(layer, graph):
    features = get_features(graph)
    heads, size = layer.num_heads, layer.head_dim
    outputs = {}
    for target, x in features.items():
        attended = np.zeros((len(x), heads, size))
        for i in range(len(x)):
            powers, values = [], []
            for relation in graph["edge_index"]:
                if relation[2] != target:
                    continue
                key = "/".join(relation)
                source = relation[0]
                attention_kernel = np.float64(to_numpy(layer.attention_kernels[key]))
                message_kernel = np.float64(to_numpy(layer.message_kernels[key]))
                query = apply_dense(layer.queries[target], x[i]).reshape(heads, size)
                for j, end, weight in list_edges(graph, relation):
                    if end != i:
                        continue
                    k = apply_dense(layer.keys[source], features[source][j]).reshape(heads, 1, size)
                    v = apply_dense(layer.values[source], features[source][j]).reshape(
                        heads, 1, size
                    )
                    score = ((k @ attention_kernel)[:, 0] * query).sum(axis=1)
                    score *= np.float64(to_numpy(layer.priors[key])) / np.sqrt(size)
                    powers.append(weight * np.exp(score))
                    values.append((v @ message_kernel)[:, 0])
            for power, value in zip(powers, values, strict=True):
                attended[i] += (power / sum(powers))[:, None] * value
        flat = attended.reshape(len(x), -1)
        flat = flat * (1 + np.vectorize(math.erf)(flat / np.sqrt(2))) / 2
        output = apply_dense(layer.output_denses[target], flat)
        if target in layer.gates:
            gate = 1 / (1 + np.exp(-float(to_numpy(layer.gates[target]))))
            output = gate * output + (1 - gate) * x
        outputs[target] = output
    return outputs

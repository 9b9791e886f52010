"""Methods of node classification for social.py: functions of a graph and a split to predictions.

Those named after a library need the packages of `benchmarks/requirements.txt`.
"""

import functools

import keras
import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from keras_mmfusion.graphs.sorted_edges import SortedEdges
from keras_mmfusion.models.node_classification import (
    APPNPClassifier,
    GCNClassifier,
    GraphFusionClassifier,
    NodeRecipe,
    make_node_inputs,
)
from keras_mmfusion.models.node_classification.node_training import train_for_seeds

HIDDEN, LEARNING_RATE, EPOCHS, PATIENCE = 64, 0.01, 200, 20
WALKS, WALK_LENGTH, RETURN, IN_OUT = 10, 40, 1.0, 0.5
STRENGTHS = (0.1, 1.0, 10.0, 100.0)


def train_classifier(make_model, graph, split, seed):
    """Trains a `NodeClassifier` with early stopping and returns the probabilities of all nodes."""
    data = graph.label_nodes(*split)
    recipe = NodeRecipe(make_model, LEARNING_RATE, EPOCHS, PATIENCE)
    model, _ = next(train_for_seeds(recipe, data, [seed]))
    logits = model(make_node_inputs(data), training=False)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def gcn(graph, split, seed):
    make = functools.partial(GCNClassifier, hidden_dim=HIDDEN)
    return train_classifier(make, graph, split, seed)


def gcn_structure(graph, split, seed):
    return gcn(graph.without_attributes(), split, seed)


def mlp(graph, split, seed):
    """Without edges, the convolutions of a GCN are those of each node alone: an MLP."""
    return gcn(graph.without_edges(), split, seed)


def appnp(graph, split, seed):
    make = functools.partial(APPNPClassifier, hidden_dim=HIDDEN)
    return train_classifier(make, graph, split, seed)


def graph_fusion(graph, split, seed):
    make = functools.partial(GraphFusionClassifier, num_nodes=graph.num_nodes, hidden_dim=HIDDEN)
    return train_classifier(make, graph, split, seed)


def late_fusion(graph, split, seed):
    return (mlp(graph, split, seed) + gcn_structure(graph, split, seed)) / 2


def label_propagation(graph, split, seed):
    """Zhou et al., "Learning with Local and Global Consistency", 2004."""
    source, target = graph.edge_index
    scale = 1 / np.sqrt(np.maximum(np.bincount(target, minlength=graph.num_nodes), 1))
    weight = scale[source] * scale[target]
    adjacency = scipy.sparse.csr_array((weight, (target, source)), (graph.num_nodes,) * 2)
    known = np.zeros((graph.num_nodes, graph.labels.max() + 1))
    known[split[0], graph.labels[split[0]]] = 1
    spread = known
    for _ in range(50):
        spread = 0.9 * (adjacency @ spread) + 0.1 * known
    return spread


def logistic_regression(graph, split, seed):
    values, index = graph.attribute_values, graph.attribute_index
    features = scipy.sparse.csr_array((values, index), (graph.num_nodes, graph.num_attributes))
    lengths = np.maximum(np.sqrt(features.multiply(features).sum(axis=1)), 1e-9)
    return fit_linear(scipy.sparse.csr_array(features.multiply(1 / lengths[:, None])), graph, split)


def fit_linear(features, graph, split):
    """Logistic regression whose strength is chosen on the validation nodes."""
    train, validation, _ = split
    best, probabilities = -1.0, None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300)
        model.fit(features[train], graph.labels[train])
        score = model.score(features[validation], graph.labels[validation])
        if score > best:
            best, probabilities = score, model.predict_proba(features)
    return probabilities


def node2vec(graph, split, seed):
    """Grover and Leskovec, 2016: biased walks, and the skip-gram model of gensim."""
    return fit_linear(embed_walks(graph, seed), graph, split)


@functools.lru_cache(maxsize=1)
def embed_walks(graph, seed):
    from gensim.models import Word2Vec

    walks = np.concatenate(list(walk(graph, np.random.default_rng(seed))))
    sentences = walks.astype("str").tolist()
    model = Word2Vec(
        sentences, vector_size=HIDDEN, window=5, sg=1, min_count=0, seed=seed, workers=1
    )
    return np.stack([model.wv[str(node)] for node in range(graph.num_nodes)])


def walk(graph, rng):
    """Yields arrays `(nodes, length)`, a walk from each node, by rejection sampling."""
    edges, count = SortedEdges(graph.edge_index, graph.num_nodes), graph.num_nodes
    numbers = np.sort(graph.edge_index[0].astype("int64") * count + graph.edge_index[1])
    highest = max(1 / RETURN, 1.0, 1 / IN_OUT)
    for _ in range(WALKS):
        steps = [np.arange(count)]
        for _ in range(WALK_LENGTH - 1):
            current = steps[-1]
            before = steps[-2] if len(steps) > 1 else current
            degrees = edges.starts[current + 1] - edges.starts[current]
            chosen, pending = current.copy(), np.flatnonzero(degrees > 0)
            while len(pending):
                nodes = current[pending]
                offset = np.floor(rng.random(len(pending)) * degrees[pending]).astype("int64")
                drawn = edges.edge_index[0, edges.starts[nodes] + offset]
                number = before[pending].astype("int64") * count + drawn
                found = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
                bias = np.where(numbers[found] == number, 1.0, 1 / IN_OUT)
                bias[drawn == before[pending]] = 1 / RETURN
                accepted = rng.random(len(pending)) * highest < bias
                chosen[pending[accepted]] = drawn[accepted]
                pending = pending[~accepted]
            steps.append(chosen)
        yield np.stack(steps, axis=1)


METHODS = {
    "label_propagation": label_propagation,
    "node2vec": node2vec,
    "gcn_structure": gcn_structure,
    "logistic_regression": logistic_regression,
    "mlp": mlp,
    "gcn": gcn,
    "appnp": appnp,
    "late_fusion": late_fusion,
    "graph_fusion": graph_fusion,
}

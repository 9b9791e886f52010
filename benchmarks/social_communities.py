"""Methods of community detection for social.py, compared with the groups of the nodes."""

import functools

import networkx
import numpy as np
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from keras_mmfusion.metrics import modularity, normalized_mutual_information


def list_runs(graph):
    """Returns a dict, name of a method -> function of a seed that returns the scores."""
    methods = {"louvain": louvain, "attributes": cluster_attributes, "propagated": cluster_both}
    return {name: functools.partial(run, graph, method) for name, method in methods.items()}


def run(graph, method, seed):
    communities = method(graph, seed)
    return {
        "nmi": normalized_mutual_information(graph.labels, communities),
        "modularity": modularity(graph.edges, communities),
        "communities": len(np.unique(communities)),
    }


def louvain(graph, seed):
    """Structure alone: Blondel et al., 2008, as in NetworkX."""
    network = networkx.Graph(graph.edges.T.tolist())
    network.add_nodes_from(range(graph.num_nodes))
    communities = np.zeros(graph.num_nodes, int)
    for number, members in enumerate(networkx.community.louvain_communities(network, seed=seed)):
        communities[list(members)] = number
    return communities


def cluster_attributes(graph, seed, steps=0):
    """Attributes alone: k-means of 64 components, with the number of groups of the labels."""
    entries = graph.attribute_values, graph.attribute_index
    x = scipy.sparse.csr_array(entries, (graph.num_nodes, graph.num_attributes))
    x = scipy.sparse.diags_array(1 / np.maximum(np.sqrt(x.multiply(x).sum(axis=1)), 1e-9)) @ x
    x = TruncatedSVD(64, random_state=seed).fit_transform(x)
    source, target = graph.edge_index
    scale = 1 / np.sqrt(np.bincount(target, minlength=graph.num_nodes) + 1)
    weight = scale[source] * scale[target]
    adjacency = scipy.sparse.csr_array((weight, (target, source)), (graph.num_nodes,) * 2)
    initial = x
    for _ in range(steps):  # Personalized PageRank with a restart probability of 0.1.
        x = 0.9 * (adjacency @ x + x * scale[:, None] ** 2) + 0.1 * initial
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    groups = len(np.unique(graph.labels))
    return KMeans(groups, n_init=10, random_state=seed).fit_predict(x)


def cluster_both(graph, seed):
    """Both: the same components, propagated along the edges."""
    return cluster_attributes(graph, seed, steps=10)

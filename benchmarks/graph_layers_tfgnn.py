"""Peer of graph_layers.py: the same training step with TF-GNN's GCNConv, and with Spektral's.

Runs on legacy Keras in a separate environment (`requirements-tfgnn.txt`).
"""

import functools
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # Must be set before TensorFlow is imported.

import spektral
import tensorflow as tf
import tensorflow_gnn as tfgnn
import tf_keras
from graph_data import CLASSES, HIDDEN, LEARNING_RATE, read_graph
from peer_process import seconds, serve
from spektral.layers import GCNConv as SpektralGCNConv
from spektral.utils.convolution import gcn_filter
from tensorflow_gnn.models.gcn.gcn_conv import GCNConv


@functools.cache
def tfgnn_training(path):
    data = read_graph(path)
    nodes = data["features"].shape[0]
    source, target = data["edge_index"]
    graph = tfgnn.GraphTensor.from_pieces(
        node_sets={
            "nodes": tfgnn.NodeSet.from_fields(
                sizes=[nodes], features={tfgnn.HIDDEN_STATE: data["features"]}
            )
        },
        edge_sets={
            "edges": tfgnn.EdgeSet.from_fields(
                sizes=[len(source)],
                adjacency=tfgnn.Adjacency.from_indices(("nodes", source), ("nodes", target)),
            )
        },
    )
    layers = [
        GCNConv(
            HIDDEN, activation="relu", add_self_loops=True, kernel_initializer="glorot_uniform"
        ),
        GCNConv(CLASSES, activation=None, add_self_loops=True, kernel_initializer="glorot_uniform"),
    ]

    def logits():
        hidden = layers[0](graph, edge_set_name="edges")
        features = {"nodes": {tfgnn.HIDDEN_STATE: hidden}}
        return layers[1](graph.replace_features(node_sets=features), edge_set_name="edges")

    return compiled_step(logits, layers, data)


@functools.cache
def spektral_training(path, entries=False):
    from scipy.sparse import coo_matrix

    data = read_graph(path)
    nodes = data["features"].shape[0]
    source, target = data["edge_index"]
    ones = tf.ones(len(source)).numpy()
    adjacency = gcn_filter(coo_matrix((ones, (target, source)), (nodes, nodes)).tocsr()).tocoo()
    index = tf.stack([adjacency.row, adjacency.col], axis=1)
    matrix = tf.sparse.SparseTensor(
        tf.cast(index, "int64"), adjacency.data.astype("float32"), (nodes, nodes)
    )
    features = tf.constant(data["features"])
    if entries:
        features = tf.sparse.from_dense(features)
    layers = [SpektralGCNConv(HIDDEN, activation="relu"), SpektralGCNConv(CLASSES)]
    return compiled_step(lambda: layers[1]([layers[0]([features, matrix]), matrix]), layers, data)


def compiled_step(logits, layers, data):
    logits()  # Creates the weights.
    weights = [weight for layer in layers for weight in layer.trainable_weights]
    optimizer = tf_keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(weights)
    labels, share = tf.constant(data["labels"]), tf.constant(data["share"])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits())
            loss = tf.reduce_sum(losses * share)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    return lambda: step().numpy()


if __name__ == "__main__":
    serve(
        {
            "tensorflow": tf.__version__,
            "tensorflow_gnn": tfgnn.__version__,
            "spektral": spektral.__version__,
        },
        {
            "time_tfgnn": lambda steps, path: seconds(tfgnn_training(path), steps),
            "time_spektral": lambda steps, **graph: seconds(spektral_training(**graph), steps),
        },
    )

"""Peer of graph_layers.py: the training step of a GCN with this library."""

import functools
import os
import sys

import keras
import numpy as np
from graph_data import CLASSES, HIDDEN, LEARNING_RATE, read_graph
from peer_process import seconds, serve

from keras_mmfusion.layers.graph import GCNLayer, SparseDense, normalize_graph, order_edges


class GCN(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden_layer = GCNLayer(HIDDEN, activation="relu")
        self.output_layer = GCNLayer(CLASSES)

    def call(self, graph):
        return self.output_layer({**graph, "node_features": self.hidden_layer(graph)})


class EntriesGCN(keras.Model):
    """A GCN for sparse features, which are multiplied by a kernel before the layer."""

    def __init__(self, num_features):
        super().__init__()
        self.kernel_layer = SparseDense(HIDDEN, num_features, use_bias=False)
        self.hidden_layer = GCNLayer(activation="relu")
        self.output_layer = GCNLayer(CLASSES)

    def call(self, inputs):
        keys = ("edge_index", "edge_order", "source_scale")
        graph = {key: inputs[key] for key in keys if key in inputs}
        nodes = keras.ops.shape(graph["source_scale"])[0]
        x = self.kernel_layer(
            inputs["index"], inputs["values"], num_rows=nodes, order=inputs["order"]
        )
        x = self.hidden_layer({**graph, "node_features": x})
        return self.output_layer({**graph, "node_features": x})


@functools.cache
def training(path, entries=False):
    data = read_graph(path)
    features = data["features"]
    graph = normalize_graph({"node_features": features, "edge_index": data["edge_index"]})
    keras.utils.set_random_seed(0)
    if entries:
        positions = features.nonzero()
        graph["index"], graph["values"] = np.stack(positions).astype("int32"), features[positions]
        graph["order"] = order_edges(graph["index"])
        del graph["node_features"]
        model = EntriesGCN(features.shape[1])
    else:
        model = GCN()
    graph, labels, share = (
        keras.tree.map_structure(keras.ops.convert_to_tensor, x)
        for x in (graph, data["labels"], data["share"])
    )
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
        jit_compile=keras.config.backend() == "jax",
    )
    return lambda: model.train_on_batch(graph, labels, share)


def time_step(steps, **graph):
    return seconds(training(**graph), steps)


if __name__ == "__main__":
    backend = keras.config.backend()
    if backend == "torch":
        import torch

        torch.set_num_threads(os.cpu_count())
    serve(
        {"keras": keras.__version__, "backend": backend, "python": sys.version.split()[0]},
        {"time_step": time_step},
    )

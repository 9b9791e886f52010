"""Side of graph_layers.py: a GCN's training step with this library."""

import functools
import os
import sys

import keras
from graph_data import CLASSES, HIDDEN, LEARNING_RATE, read_graph
from peer_process import seconds, serve

from keras_mmfusion.layers.graph import GCNLayer, normalize_graph


class GCN(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden_layer = GCNLayer(HIDDEN, activation="relu")
        self.output_layer = GCNLayer(CLASSES)

    def call(self, graph):
        return self.output_layer({**graph, "node_features": self.hidden_layer(graph)})


@functools.cache
def training(path):
    data = {key: keras.ops.convert_to_tensor(value) for key, value in read_graph(path).items()}
    graph = normalize_graph({"node_features": data["features"], "edge_index": data["edge_index"]})
    keras.utils.set_random_seed(0)
    model = GCN()
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
        jit_compile=keras.config.backend() == "jax",
    )
    return lambda: model.train_on_batch(graph, data["labels"], data["share"])


def time_step(path):
    return seconds(training(path))


if __name__ == "__main__":
    backend = keras.config.backend()
    if backend == "torch":
        import torch

        torch.set_num_threads(os.cpu_count())
    serve(
        {"keras": keras.__version__, "backend": backend, "python": sys.version.split()[0]},
        {"time_step": time_step},
    )

"""Builds a multimodal graph from files, and classifies its nodes.

    python examples/classify_products.py shop

The first run writes the folder: `products.csv` (one product and its class per row), `pairs.csv`
(products bought together) and an array for each modality, `image.npy` and `text.npy`, with one row
per product and NaN for missing texts. `--short` trains for fewer steps.
"""

import argparse
import csv
import pathlib

import keras
import numpy as np

from keras_mmfusion.explain import explain_nodes, plot_node_explanation
from keras_mmfusion.layers.graph import (
    GraphFusion,
    HGTLayer,
    MultimodalGraph,
    connect_neighbors,
    connect_pairs,
)
from keras_mmfusion.models import export_tensors, load_model

PRODUCTS, CLASSES, LABELED = 200, 4, 60


def make_files(folder):
    """Writes products whose photo and text each determine half of the class."""
    rng = np.random.default_rng(0)
    classes = rng.integers(CLASSES, size=PRODUCTS)
    image = rng.normal(size=(PRODUCTS, 16)) + 3.0 * np.eye(2, 16)[classes % 2]
    text = rng.normal(size=(PRODUCTS, 12)) + 3.0 * np.eye(2, 12)[classes // 2]
    text[rng.random(PRODUCTS) < 0.2] = np.nan
    pairs = rng.integers(PRODUCTS, size=(4000, 2))
    alike = classes[pairs[:, 0]] == classes[pairs[:, 1]]
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (alike | (rng.random(len(pairs)) < 0.05))][:600]
    folder.mkdir(parents=True)
    np.save(folder / "image.npy", image.astype("float32"))
    np.save(folder / "text.npy", text.astype("float32"))
    rows = [(p, classes[p]) for p in range(PRODUCTS)]
    for name, header, table in (
        ("products.csv", ("product", "class"), rows),
        ("pairs.csv", ("product", "other"), pairs),
    ):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *table])


def read_table(path):
    with open(path, newline="") as file:
        return np.array([[int(x) for x in row] for row in list(csv.reader(file))[1:]])


def read_graph(folder):
    """Builds the graph: a node for each photo and text, and edges of four relations."""
    image, text = np.load(folder / "image.npy"), np.load(folder / "text.npy")
    pairs = read_table(folder / "pairs.csv")
    same = np.stack([np.arange(len(image))] * 2, axis=1)  # The text and the photo of product i.
    graph = MultimodalGraph(
        {"image": image, "text": text}, node_mask={"text": np.isfinite(text).all(axis=1)}
    )
    graph.add_edges(("image", "similar", "image"), *connect_neighbors(image, neighbors=5))
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    graph.add_edges(("image", "bought_with", "image"), *connect_pairs(both_ways))
    graph.add_edges(("text", "describes", "image"), *connect_pairs(same))
    graph.add_reversed(("text", "describes", "image"), "described_by")
    return graph


@keras.saving.register_keras_serializable(package="examples")
class ProductClassifier(keras.Model):
    """Computes class logits of all products from their graph."""

    def __init__(self, num_classes, dim=32, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.dim = dim
        layers = [HGTLayer(dim, num_heads=4, name="graph_layer")]
        self.fusion = GraphFusion(("image", "text"), layers, combine="gated", dim=dim)
        self.head = keras.layers.Dense(num_classes)

    def build(self, graph_shape):
        self.fusion.build(graph_shape)
        self.head.build((None, self.dim))

    def call(self, graph, training=None):
        return self.head(self.fusion(graph, training=training))

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes, "dim": self.dim}


def with_string_keys(graph):
    """Converts relations to strings as Keras saves them: `"source/relation/target"`."""
    return {
        key: {"/".join(k) if isinstance(k, tuple) else k: x for k, x in value.items()}
        for key, value in graph.items()
    }


def train(graph, labels, nodes, steps):
    model = ProductClassifier(int(labels.max()) + 1)
    model.compile(
        keras.optimizers.AdamW(0.01, weight_decay=5.0),  # Weight decay, since there are few labels.
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
        jit_compile=False,
    )
    share = np.zeros(len(labels), "float32")
    share[nodes] = 1 / len(nodes)  # Other labels are not used.
    for _ in range(steps):
        model.train_on_batch(graph, labels, share)
    return model


def accuracy(model, graph, labels, nodes):
    logits = keras.ops.convert_to_numpy(model(graph))
    return np.mean(logits[nodes].argmax(axis=1) == labels[nodes])


def without(graph, modality):
    nodes = len(graph["node_features"][modality])
    masks = {**graph["node_mask"], modality: np.zeros(nodes, "bool")}
    return {**graph, "node_mask": masks}


def export(model, graph, folder):
    """Exports a SavedModel from node features to logits; the edges are constants."""
    import tensorflow as tf

    features, mask = graph["node_features"], graph["node_mask"]["text"]
    inputs = {**features, "has_text": mask}

    def logits(given):
        given = dict(given)
        masks = {"text": given.pop("has_text")}
        return model({**graph, "node_features": given, "node_mask": masks})

    specs = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype) for name, x in inputs.items()}
    path = export_tensors(model, {"serving_default": logits}, specs, folder)
    served = tf.saved_model.load(path).signatures["serving_default"]
    return served(**{name: tf.constant(x) for name, x in inputs.items()})["outputs"].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="runs/shop", type=pathlib.Path)
    parser.add_argument("--short", action="store_true", help="fewer steps")
    args = parser.parse_args()
    if not args.folder.exists():
        make_files(args.folder)
    keras.utils.set_random_seed(0)

    graph = read_graph(args.folder)
    print(graph)
    labels = read_table(args.folder / "products.csv")[:, 1]
    order = np.random.default_rng(1).permutation(len(labels))
    known, rest = order[:LABELED], order[LABELED:]

    inputs = with_string_keys(graph.as_dict())
    model = train(inputs, labels, known, steps=20 if args.short else 40)
    print(f"accuracy on the other products: {accuracy(model, inputs, labels, rest):.2f}")
    for modality in ("image", "text"):
        score = accuracy(model, without(inputs, modality), labels, rest)
        print(f"  without {modality}: {score:.2f}")

    # A product without text: its class must come from its neighbors.
    product = int(next(p for p in rest if not graph.node_mask["text"][p]))
    [why] = explain_nodes(model, inputs, [product], steps=50 if args.short else 200)
    print(f"product {product} is of class {why.predicted_class}, because of these edges:")
    for source, target, score in why.list_top_edges(3):
        print(f"  {source} -> {target}: {score:.2f}")
    plot_node_explanation(why, args.folder / "why.png")

    logits = keras.ops.convert_to_numpy(model(inputs))
    model.save(args.folder / "model.keras")
    loaded = load_model(args.folder / "model.keras")
    again = keras.ops.convert_to_numpy(loaded(inputs))
    print("loaded, the outputs differ by", f"{np.abs(again - logits).max():.0e}")
    if keras.config.backend() == "tensorflow":
        served = export(loaded, inputs, args.folder / "served")
        print("exported, the outputs differ by", f"{np.abs(served - logits).max():.0e}")


if __name__ == "__main__":
    main()

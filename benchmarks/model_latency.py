"""Parameters, size and CPU latency of the models in the table of the front page.

    python benchmarks/model_latency.py [MODEL ...]

One input per call: a photo file for captioners and the embedder, a question about an image file for
the question answerer, one image for image encoders, a video of 20 utterances for the sentiment
model, a random graph of Cora's size for node classifiers.
Everything runs on one core, and the latency is the processor time of the call: the least of 9
calls after the first, which compiles. Other work on the machine hardly changes it. If models are
named, only these are measured, and the other results of the file are kept.
"""

import argparse
import json
import os
import pathlib
import time

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # Before TensorFlow counts the cores.

import numpy as np  # noqa: E402
from write_results import write_results  # noqa: E402

from keras_mmfusion import zoo  # noqa: E402
from keras_mmfusion._provenance import describe_machine, describe_versions  # noqa: E402
from keras_mmfusion.datasets import LabeledGraph  # noqa: E402
from keras_mmfusion.models import node_classification  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
PHOTO = FOLDER.parent / "docs" / "images" / "astronaut.jpg"
SHAPE = FOLDER.parent / "tests" / "data" / "shape.png"
CLASSIFIERS = ("GCNClassifier", "GATClassifier", "APPNPClassifier", "GCN2Classifier")


def captioner(name):
    model = zoo.captioner(name)
    return model, lambda: model.generate(str(PHOTO))


def embedder(name):
    model = zoo.embedder(name)
    return model, lambda: model.embed("image", [str(PHOTO)])


def image_encoder(name):
    model = zoo.image_encoder(name)
    images = np.zeros((1, *model.image_size, 3), "float32")
    return model, lambda: model.predict_on_batch(images)


def sentiment(name):
    model = zoo.sentiment(name)
    random = np.random.default_rng(0)
    dims = {"text": 100, "audio": 73, "video": 100}
    inputs = {name: random.normal(size=(1, 20, dim)) for name, dim in dims.items()}
    masks = {f"{name}_mask": np.ones((1, 20), "bool") for name in dims}
    return model, lambda: model.predict_on_batch({**inputs, **masks})


def question_answerer(name):
    model = zoo.vqa(name)
    photo = str(SHAPE)
    return model, lambda: model.answer(photo, "what color is the shape?")


def node_classifier(name):
    random = np.random.default_rng(0)
    pairs = random.integers(2708, size=(2, 5278))
    data = LabeledGraph(
        node_features=(random.random((2708, 1433)) < 0.0127).astype("float32"),
        edge_index=np.concatenate([pairs, pairs[::-1]], axis=1),
        labels=random.integers(7, size=2708),
        train_nodes=np.arange(140),
        validation_nodes=np.arange(140, 640),
        test_nodes=np.arange(1708, 2708),
    )
    model = getattr(node_classification, name)(num_features=1433, num_classes=7)
    inputs = node_classification.make_node_inputs(data)
    return model, lambda: model.predict_on_batch(inputs)


MODELS = {
    "captioner_flickr8k_lite0": captioner,
    "captioner_flickr8k_lite2": captioner,
    "image_text_flickr8k": embedder,
    "sentiment_mosi": sentiment,
    "vqa_easy": question_answerer,
    "efficientnet_lite0_imagenet": image_encoder,
    "efficientnet_lite2_imagenet": image_encoder,
    **dict.fromkeys(CLASSIFIERS, node_classifier),
}


def measure(name):
    """Builds a model and returns its parameters, the size of its files and its latency."""
    model, call = MODELS[name](name)
    call()
    seconds = []
    for _ in range(9):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    megabytes = None
    if name not in CLASSIFIERS:
        files = pathlib.Path(zoo.resolve_preset(name)).rglob("*")
        megabytes = round(sum(path.stat().st_size for path in files if path.is_file()) / 1e6, 1)
    return {
        "parameters": model.count_params(),
        "megabytes": megabytes,
        "latency_seconds": round(min(seconds), 5),
    }


def _read_models(path, protocol):
    """Reads earlier results, which must be from the same machine and versions."""
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if earlier["protocol"] != protocol:
        raise ValueError(f"{path} is from another machine or other versions. Measure all models.")
    return earlier["models"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = FOLDER / "results" / "model_latency.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="default: all")
    options = parser.parse_args()
    protocol = {
        "cores": 1,
        "calls": 9,
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    models = _read_models(options.json, protocol) if options.names else {}
    for name in options.names or MODELS:
        models[name] = measure(name)
        print(name, models[name])
    write_results(options.json, {"protocol": protocol, "models": models})


if __name__ == "__main__":
    main()

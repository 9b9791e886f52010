"""The table of models on the front page: size and latency, and each score next to a reference.

Scores come from `zoo/<preset>/results.json` and `results/planetoid.json`, sizes and latencies from
`results/model_latency.json`. `zoo/update_score_tables.py` fills the table in.
"""

import json
import pathlib
from typing import NamedTuple

from result_tables import RESULTS, format_cores, markdown_table

ZOO = pathlib.Path(__file__).resolve().parents[1] / "zoo"


class Model(NamedTuple):
    """What the table states about a model beside its measurements.

    `score` is the metric, as `results.json` names it, and its label; `reference` a published
    score of that metric and its source.
    """

    task: str
    score: tuple
    reference: tuple
    command: str


SHOW_ATTEND_TELL = (0.213, "Show, Attend and Tell")
CLASSIFIER = ("node classification, Cora", ("test_accuracy", "accuracy"))
PLANETOID = "python benchmarks/planetoid.py"
CONVERSION = ("float32_max_logit_difference", "logit difference"), (None, "source weights")
CONVERT = "python zoo/convert_efficientnet_lite.py"


def _recipe(preset):
    return f"bash zoo/{preset}/recipe.sh"


MODELS = {
    "captioner_flickr8k_lite0": Model(
        "image captioning",
        ("bleu_4", "BLEU-4"),
        SHOW_ATTEND_TELL,
        _recipe("captioner_flickr8k_lite0"),
    ),
    "captioner_flickr8k_lite2": Model(
        "image captioning",
        ("bleu_4", "BLEU-4"),
        SHOW_ATTEND_TELL,
        _recipe("captioner_flickr8k_lite2"),
    ),
    "image_text_flickr8k": Model(
        "image-text retrieval",
        ("text_to_image_recall_at_1", "text-to-image R@1"),
        (0.191, "Klein et al., 2015"),
        _recipe("image_text_flickr8k"),
    ),
    "sentiment_mosi": Model(
        "sentiment analysis",
        ("accuracy", "accuracy"),
        (0.791, "TFN in MMSA"),
        _recipe("sentiment_mosi"),
    ),
    "vqa_easy": Model(
        "visual question answering",
        ("accuracy", "accuracy"),
        (0.995, "easy-VQA-keras, twice the data"),
        _recipe("vqa_easy"),
    ),
    "efficientnet_lite0_imagenet": Model("image encoder", *CONVERSION, CONVERT),
    "efficientnet_lite2_imagenet": Model("image encoder", *CONVERSION, CONVERT),
    "GCNClassifier": Model(*CLASSIFIER, (0.815, "the paper"), PLANETOID),
    "GATClassifier": Model(*CLASSIFIER, (0.830, "the paper"), PLANETOID),
    "APPNPClassifier": Model(*CLASSIFIER, (0.833, "the GCNII paper"), PLANETOID),
    "GCN2Classifier": Model(*CLASSIFIER, (0.855, "the paper"), PLANETOID),
}
CLASSIFIERS = {"GCNClassifier": "gcn", "GATClassifier": "gat", "APPNPClassifier": "appnp"}
CLASSIFIERS["GCN2Classifier"] = "gcn2"


def models_table(report):
    """One row per model, from the report of `model_latency.py`."""
    rows = []
    for name, model in MODELS.items():
        measured = report["models"][name]
        metric, label = model.score
        megabytes = measured["megabytes"]
        rows.append(
            [
                f"`{name}`",
                model.task,
                _millions(measured["parameters"]),
                "" if megabytes is None else f"{megabytes:.1f} MB",
                f"{1000 * measured['latency_seconds']:.0f} ms",
                f"{label} {_score(_metrics(name)[metric])}",
                " ".join(filter(None, [_score(model.reference[0]), model.reference[1]])),
                f"`{model.command}`",
            ]
        )
    protocol = report["protocol"]
    versions = protocol["versions"]
    note = (
        "Flickr8k: dev split, 4 beams; the references are on the test split. Sentiment: other "
        "videos of CMU-MOSI; the reference is on its test split with other features. Questions: "
        "the test split of easy-VQA. Cora: "
        "Planetoid's split. Latency of one input, the least of "
        f"{protocol['calls']} calls on one core of {format_cores(protocol['machine'])}; Keras "
        f"{versions['keras']} on {versions['backend']}."
    )
    heads = ["Model", "Task", "Parameters", "Size", "Latency", "Score", "Reference", "Reproduce"]
    return markdown_table(heads, rows, note, "llrrrlll")


def _metrics(name):
    if name in CLASSIFIERS:
        report = json.loads((RESULTS / "planetoid.json").read_text(encoding="utf-8"))
        return report["cora"][CLASSIFIERS[name]]["metrics"]
    return json.loads((ZOO / name / "results.json").read_text(encoding="utf-8"))["metrics"]


def _score(value):
    if value is None:
        return ""
    return f"{value:.3f}" if value > 1e-3 else f"{value:.0e}"


def _millions(parameters):
    return f"{parameters / 1e6:.1f} M" if parameters > 5e5 else f"{parameters / 1e3:.0f} k"


TABLES = {"models": (models_table, "model_latency.json", "model_latency.py")}

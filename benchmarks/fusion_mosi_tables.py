"""The tables of docs/fusion.md on CMU-MOSI."""


def fusion_mosi_table(report):
    """Formats the scores of the fusion models, best first."""
    headings = "Model | Accuracy | Over seeds | Over videos | F1 | Parameters | CPU seconds"
    lines = [f"| {headings} |", "|---|" + "---:|" * 6]
    for name, model in sorted(report["models"].items(), key=lambda item: -item[1]["accuracy"]):
        cells = [
            name,
            _format(model["accuracy"]),
            f"± {_format(model['accuracy_spread_over_seeds'])}",
            " to ".join(map(_format, model["accuracy_interval_over_videos"])),
            _format(model["f1"]),
            f"{model['parameters']:,}",
            f"{model['cpu_seconds_of_all_runs']:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    train, dev = report["train"], report["dev"]
    protocol = (
        f"Trained on {train['utterances']:,} utterances of {train['videos']} videos, scored on "
        f"{dev['utterances']} of {dev['videos']} others. Each half of these is scored after the "
        f"number of epochs, at most {report['epochs']}, that is best on the other half. "
        f"{_format(report['majority_accuracy'])} of them are of the more frequent class. Mean and "
        f"standard deviation of {report['seeds']} seeds; over videos, the 95 % bootstrap interval. "
        "The seconds cover the trainings of all seeds and their compilation; "
        f"{report['machine']}, shared with other work; Keras {report['keras']} on JAX "
        f"{report['jax']}."
    )
    return "\n".join([*lines, "", protocol, ""])


def missing_modalities_table(report):
    """Formats the accuracy of models with missing modalities."""
    models = report["without_modalities"]
    lines = ["| Modalities | " + " | ".join(models) + " |", "|---|" + "---:|" * len(models)]
    for subset in next(iter(models.values())):
        cells = [subset, *[_format(model[subset]["accuracy"]) for model in models.values()]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _format(value):
    return f"{value:.3f}"


TABLES = {
    "fusion_mosi": (fusion_mosi_table, "fusion_mosi.json", "fusion_mosi.py"),
    "missing_modalities": (missing_modalities_table, "fusion_mosi.json", "fusion_mosi.py"),
}

"""The table of docs/captioning.md on captioners and images that they were not trained on."""

import numpy as np
from result_tables import format_cores, markdown_table

SETS = {
    "flickr8k_train": "Flickr8k train",
    "flickr8k_select": "select",
    "flickr8k_dev": "dev",
    "coco_train": "COCO train",
    "coco_select": "select",
    "coco_dev": "dev",
}


def captioner_generalization_table(report):
    """Formats the CIDEr-D of captioners on images that they were trained on and on others.

    Args:
        report: dict, written by `captioner_generalization.py`.
    """
    models = report["models"].values()
    rows = []
    for name, model in report["models"].items():
        scores = [_format_cider(model["scores"].get(key)) for key in SETS]
        bleu = model["scores"].get("flickr8k_dev", {}).get("bleu_4")
        cells = [f"`{name}`", model["training"], *scores, "" if bleu is None else f"{bleu:.3f}"]
        rows.append(cells)
    counts = {
        key: next((each["scores"][key]["images"] for each in models if key in each["scores"]), 0)
        for key in SETS
    }
    protocol = report["protocol"]
    decoding, versions = protocol["decoding"], protocol["versions"]
    images = ", ".join(map(str, counts.values()))
    line = (
        f"CIDEr-D with its standard error over images, and BLEU-4 of Flickr8k dev; {images} "
        f"images; {decoding['beams']} beams, length penalty {decoding['length_penalty']:g}; one "
        f"run each; {format_cores(protocol['machine'])}, shared with other work; Keras "
        f"{versions['keras']} on {versions['backend']}."
    )
    heads = ["Model", "Training", *SETS.values(), "BLEU-4"]
    return markdown_table(heads, rows, line, "ll" + "r" * 7)


def _format_cider(scores):
    if scores is None:
        return ""
    ciders = np.array(scores["image_ciders"])
    return f"{scores['cider']:.3f} ± {ciders.std(ddof=1) / len(ciders) ** 0.5:.3f}"


TABLES = {
    "captioner_generalization": (
        captioner_generalization_table,
        "captioner_generalization.json",
        "captioner_generalization.py",
    ),
}

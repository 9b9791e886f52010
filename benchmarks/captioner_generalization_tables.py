"""The table of docs/benchmarks on captioners and images that they were not trained on."""

import numpy as np
from result_tables import format_cores, markdown_table

SETS = {
    "flickr8k_train": "Flickr8k train",
    "flickr8k_select": "dev, first half",
    "flickr8k_dev": "dev, second half",
    "coco_train": "COCO train",
    "coco_select": "dev, first half",
    "coco_dev": "dev, second half",
}
LARGE, SMALL = "captioner_flickr8k_lite2", "captioner_flickr8k_lite0"


def captioner_generalization_table(report):
    """Formats the CIDEr-D of captioners on images that they were trained on and on others.

    Args:
        report: dict, written by `captioner_generalization.py`.
    """
    models = report["models"]
    rows = []
    for name, model in models.items():
        ciders = {key: scores["image_ciders"] for key, scores in model["scores"].items()}
        rows.append([name, model["training"], *_format_means(ciders)])
    large, small = (models[name]["scores"] for name in (LARGE, SMALL))
    differences = {
        key: np.subtract(large[key]["image_ciders"], small[key]["image_ciders"])
        for key in large.keys() & small.keys()
    }
    rows.append(["difference of the presets", "", *_format_means(differences)])
    images = ", ".join(f"{large[key]['images']:,}" for key in SETS if key in large)
    decoding, versions = (report["protocol"][key] for key in ("decoding", "versions"))
    protocol = (
        f"CIDEr-D, with the standard error of its mean over images; {images} images; "
        f"{decoding['beams']} beams, length penalty {decoding['length_penalty']:g}; one training "
        f"run each; {format_cores(report['protocol']['machine'])}; Keras {versions['keras']} on "
        f"{versions['backend']}."
    )
    return markdown_table(["Model", "Training", *SETS.values()], rows, protocol, "ll" + "r" * 6)


def _format_means(ciders):
    """Formats the mean CIDEr-D of each set, or nothing for sets without scores."""
    return [_format_mean(np.array(ciders[key])) if key in ciders else "" for key in SETS]


def _format_mean(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


TABLES = {
    "captioner_generalization": (
        captioner_generalization_table,
        "captioner_generalization.json",
        "captioner_generalization.py",
    ),
}

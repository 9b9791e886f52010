"""Scores captioners on images that they were trained on and on others.

    python zoo/merge_caption_sets.py data tables
    python benchmarks/captioner_generalization.py --data data --tables tables \\
        --model captioner_flickr8k_lite2 --sets flickr8k_train flickr8k_dev

The sets are 500 training images and the dev images of Flickr8k and of COCO captions, from the
tables of `zoo/merge_caption_sets.py`. Each run adds or replaces a model in the results, so that
nothing is scored twice.
"""

import argparse
import json
import pathlib

import numpy as np
from result_tables import RESULTS
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import CaptionPairs, read_image_caption_pairs
from keras_mmfusion.models.captioning import evaluate_captioner
from keras_mmfusion.zoo import captioner
from keras_mmfusion.zoo.presets import get_fingerprint

JSON = RESULTS / "captioner_generalization.json"
TRAINING_IMAGES = 500
# Name of a set -> its table and the folder of its images.
SETS = {
    "flickr8k_train": ("train", "flickr8k"),
    "flickr8k_select": ("select", "flickr8k"),
    "flickr8k_dev": ("dev_flickr8k", "flickr8k"),
    "coco_train": ("train", "coco_captions"),
    "coco_select": ("select", "coco_captions"),
    "coco_dev": ("dev_coco", "coco_captions"),
}


def read_set(name, data, tables):
    """Reads a set; of training images, a random sample.

    Args:
        name: string, a key of `SETS`.
        data: path of the folder of all images.
        tables: path of the folder of the tables.

    Returns:
        `CaptionPairs`.
    """
    table, folder = SETS[name]
    pairs = read_image_caption_pairs(str(data), str(tables / f"{table}.csv"))
    prefix = str(data / folder)
    rows = [row for row, image in enumerate(pairs.images) if str(image).startswith(prefix)]
    if table == "train":
        chosen = np.random.default_rng(0).permutation(len(rows))[:TRAINING_IMAGES]
        rows = [rows[index] for index in sorted(chosen)]
    return CaptionPairs([pairs.images[i] for i in rows], [pairs.captions[i] for i in rows])


def score_captioner(model, pairs):
    """Computes corpus scores, and the CIDEr-D of each image; their mean is that of the corpus."""
    result = evaluate_captioner(model, pairs, metrics=["bleu", "cider"])
    ciders = [round(sample["scores"]["cider"], 4) for sample in result.samples]
    scores = {name: round(score, 4) for name, score in result.metrics.items()}
    return {**scores, "images": len(pairs), "image_ciders": ciders}, result.protocol["decoding"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of all images")
    parser.add_argument("--tables", type=pathlib.Path, required=True)
    parser.add_argument("--model", required=True, help="preset name or folder")
    parser.add_argument("--name", help="name of the model in the results (default: --model)")
    parser.add_argument("--training", default="", help="how the model was trained")
    parser.add_argument("--seed", type=int, default=0, help="seed of its training")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--json", type=pathlib.Path, default=JSON)
    arguments = parser.parse_args()
    models = {}
    if arguments.json.exists():
        models = json.loads(arguments.json.read_text(encoding="utf-8"))["models"]
    name, preset_hash = arguments.name or arguments.model, get_fingerprint(arguments.model)
    entry = models.get(name, {})
    if entry.get("preset_hash") != preset_hash:
        entry = {"preset_hash": preset_hash, "scores": {}}
    entry |= {"training": arguments.training, "seed": arguments.seed}
    model = captioner(arguments.model)
    for set_name in arguments.sets:
        pairs = read_set(set_name, arguments.data, arguments.tables)
        entry["scores"][set_name], decoding = score_captioner(model, pairs)
        protocol = {
            "decoding": decoding,
            "versions": describe_versions(),
            "machine": describe_machine(),
        }
        write_results(arguments.json, {"protocol": protocol, "models": {**models, name: entry}})
        print(name, set_name, entry["scores"][set_name]["cider"], flush=True)


if __name__ == "__main__":
    main()

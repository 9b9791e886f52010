"""Measures the effect of the quality of packed photos on CIDEr.

    python gpu/photo_quality.py --data DATA/flickr8k \
        --json benchmarks/results/gpu_photo_quality.json

The photos of Flickr8k's dev split are re-encoded with each setting and captioned (greedy search) by
a published captioner that was trained on the original photos. Settings that are already in the file
are not measured again.
"""

import argparse
import io
import json
import pathlib
import sys

import numpy as np
from PIL import Image

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.metrics import coco_caption_scores
from keras_mmfusion.zoo import captioner

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))
PRESET = "captioner_flickr8k_lite2"
SETTINGS = [
    ("original", None),
    *(("WEBP", quality) for quality in (80, 65, 50, 40, 30, 20)),
    ("JPEG", 40),
]


def encode(path, kind, quality):
    """Re-encodes a photo; returns the bytes of the file."""
    if kind == "original":
        return path.read_bytes()
    with Image.open(path) as image:
        buffer = io.BytesIO()
        options = {"method": 6} if kind == "WEBP" else {"optimize": True, "progressive": True}
        image.convert("RGB").save(buffer, kind, quality=quality, **options)
    return buffer.getvalue()


def measure(model, pairs, kind, quality):
    """Returns the scores of a setting and the mean file size."""
    files = [encode(pathlib.Path(path), kind, quality) for path in pairs.images]
    captions = model.generate(files, beams=1, batch_size=50)
    references = {number: list(filter(None, texts)) for number, texts in enumerate(pairs.captions)}
    scores = coco_caption_scores(references, dict(enumerate(captions)), ("bleu", "cider"))
    return {
        "format": kind,
        "quality": quality,
        "bytes_per_photo": round(float(np.mean([len(file) for file in files])), 1),
        "bleu_4": round(scores["bleu_4"], 4),
        "cider": round(scores["cider"], 4),
    }


def main():
    from write_results import write_results

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="Flickr8k's folder")
    parser.add_argument("--json", type=pathlib.Path, required=True, help="where the results go")
    arguments = parser.parse_args()
    pairs = read_flickr8k(arguments.data, "dev")
    model = captioner(str(ROOT / "zoo" / PRESET))
    rows = []
    if arguments.json.exists():
        rows = json.loads(arguments.json.read_text("utf-8"))["settings"]
    for kind, quality in SETTINGS:
        if (kind, quality) in [(row["format"], row["quality"]) for row in rows]:
            continue
        rows.append(measure(model, pairs, kind, quality))
        print(rows[-1], flush=True)
        results = {
            "preset": PRESET,
            "data": "flickr8k",
            "split": "dev",
            "images": len(pairs),
            "search": "greedy",
            "settings": rows,
            "versions": describe_versions(),
            "machine": describe_machine(),
        }
        write_results(arguments.json, results)


if __name__ == "__main__":
    main()

"""Trains the preset `sentiment_mosi` on CMU-MOSI's features, and scores its recipe.

    KERAS_BACKEND=torch python zoo/train_sentiment.py train.npz \\
        --out keras_mmfusion/zoo/presets/sentiment_mosi --json zoo/sentiment_mosi/results.json

The preset is trained on every utterance of the file, so none is left to score it on. What the JSON
has are the scores of models that were trained alike, each on four fifths of the videos, on the
other fifth.
"""

import argparse
import json
from pathlib import Path

from keras_mmfusion.cli.run_protocol import machine, versions
from keras_mmfusion.datasets import read_cmu_mosi
from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    cross_validate_sentiment,
    train_sentiment,
)
from keras_mmfusion.zoo.manifest import sha256_of


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="train.npz of CMU-MOSI")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    data, recipe = read_cmu_mosi(arguments.data), SentimentRecipe()
    results = cross_validate_sentiment(recipe, data, arguments.folds)
    for sample in results["samples"]:
        del sample["label"]  # The data's own; a preset's scores are published without.
    results["protocol"] = {
        "data": "cmu_mosi",
        "data_sha256": sha256_of(arguments.data),
        **results["protocol"],
        "versions": versions(),
        "machine": machine(),
    }
    print(results["metrics"])
    train_sentiment(recipe, data).save_to_preset(arguments.out)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

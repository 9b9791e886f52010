"""Trains the preset `sentiment_mosi` on CMU-MOSI's features, and scores its recipe.

    KERAS_BACKEND=torch python zoo/train_sentiment.py train.npz dev.npz \\
        --out keras_mmfusion/zoo/presets/sentiment_mosi --json zoo/sentiment_mosi/results.json

What the JSON has are the scores of the recipe on the videos of `dev.npz`, with several seeds, as
`score_sentiment_recipe` makes them. The preset is trained on `train.npz` for the number of epochs
that is best on all of dev, and of the models of these seeds it is the best one there.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from keras_mmfusion._provenance import machine, versions
from keras_mmfusion.datasets import read_cmu_mosi
from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    evaluate_sentiment,
    score_sentiment_recipe,
    train_sentiment,
)
from keras_mmfusion.zoo.manifest import compute_sha256


def best_model(recipe, protocol, train, dev):
    """The model that is best on dev, and what that is, which is no score: it was chosen there."""
    found = []
    for seed in protocol["seeds"]:
        chosen = dataclasses.replace(recipe, epochs=protocol["epochs"], seed=seed)
        model = train_sentiment(chosen, train)
        found.append((evaluate_sentiment(model, dev).metrics["accuracy"], seed, model))
    accuracy, seed, model = max(found, key=lambda each: each[0])
    return model, {
        "seed": seed,
        "epochs": protocol["epochs"],
        "accuracy_on_dev": accuracy,
        "accuracy_on_dev_of_seeds": [each[0] for each in found],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, help="train.npz of CMU-MOSI")
    parser.add_argument("dev", type=Path, help="dev.npz, of other videos")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    train, dev = read_cmu_mosi(arguments.train), read_cmu_mosi(arguments.dev)
    recipe = SentimentRecipe(epochs=25)  # The most that can be chosen.
    results = score_sentiment_recipe(recipe, train, dev)
    results["protocol"] = {
        "data": "cmu_mosi",
        "train_sha256": compute_sha256(arguments.train),
        "dev_sha256": compute_sha256(arguments.dev),
        **results["protocol"],
        "versions": versions(),
        "machine": machine(),
    }
    print(results["metrics"], results["protocol"]["accuracy_of_seeds"])
    model, results["protocol"]["preset"] = best_model(recipe, results["protocol"], train, dev)
    print(results["protocol"]["preset"])
    model.save_to_preset(arguments.out)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

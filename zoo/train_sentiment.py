"""Trains the preset `sentiment_mosi` on CMU-MOSI's features, and scores its recipe.

    KERAS_BACKEND=torch python zoo/train_sentiment.py train.npz dev.npz \\
        --out keras_mmfusion/zoo/presets/sentiment_mosi --json zoo/sentiment_mosi/results.json

The JSON file has the scores of the recipe on the videos of `dev.npz`, for several seeds; see
`score_sentiment_recipe`. The preset is trained on `train.npz` for the number of epochs that is best
on dev; of the models of these seeds, it is the best on dev.
"""

import argparse
import dataclasses
from pathlib import Path

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import read_cmu_mosi
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    evaluate_sentiment,
    score_sentiment_recipe,
    train_sentiment,
)
from keras_mmfusion.zoo.manifest import compute_sha256


def train_best_model(recipe, protocol, train, dev):
    """Trains a model for each seed; returns the best on dev and how it was selected."""
    models = []
    for seed in protocol["seeds"]:
        model = train_sentiment(
            dataclasses.replace(recipe, epochs=protocol["epochs"], seed=seed), train
        )
        models.append((evaluate_sentiment(model, dev).metrics["accuracy"], seed, model))
    accuracy, seed, model = max(models, key=lambda each: each[0])
    return model, {
        "seed": seed,
        "epochs": protocol["epochs"],
        "accuracy_on_dev": accuracy,
        "accuracy_on_dev_of_seeds": [each[0] for each in models],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, help="train.npz of CMU-MOSI")
    parser.add_argument("dev", type=Path, help="dev.npz, with other videos")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    train, dev = read_cmu_mosi(arguments.train), read_cmu_mosi(arguments.dev)
    recipe = SentimentRecipe(epochs=25)  # The maximum.
    result = score_sentiment_recipe(recipe, train, dev)
    print(result.metrics, result.protocol["accuracy_of_seeds"])
    model, selection = train_best_model(recipe, result.protocol, train, dev)
    print(selection)
    model.save_to_preset(arguments.out)
    result = result.add_protocol(
        data="cmu_mosi",
        train_sha256=compute_sha256(arguments.train),
        dev_sha256=compute_sha256(arguments.dev),
        versions=describe_versions(),
        machine=describe_machine(),
        preset=selection,
    )
    write_json(result.to_json(), arguments.json)


if __name__ == "__main__":
    main()

"""Compares recommenders on MovieLens with posters and plots: all items, cold items, ablations.

    KERAS_BACKEND=torch python benchmarks/recommendation.py --data movielens \\
        --features movie_features --json benchmarks/results/recommendation.json \\
        --left-out genres overview poster title year all

The latest 15 % of each user's ratings are predicted from the rest and ranked among all movies. The
recipes were selected only on the rest: `--validation` splits it again in the same way and scores on
that. Results of a model replace earlier ones in the file, so models can be run one by one.
"""

import argparse
import dataclasses
import json
import pathlib
import time

import keras
import numpy as np
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import ItemFeatures, read_movielens, split_interactions
from keras_mmfusion.models.recommendation import (
    describe_recipe,
    evaluate_recommender,
    get_recommender_recipe,
    train_recommender,
)
from keras_mmfusion.models.recommendation.recommender_recipe import RECIPES
from keras_mmfusion.zoo import load_item_features


def run(recipe, train, test, items, seeds):
    """Trains and scores with each seed; returns means and standard deviations."""
    scores, seconds = [], []
    for seed in seeds:
        keras.backend.clear_session()
        start = time.perf_counter()
        model = train_recommender(dataclasses.replace(recipe, seed=seed), train, items)
        seconds.append(time.perf_counter() - start)
        result = evaluate_recommender(model, test)
        scores.append(result.metrics)
        print(seed, {name: round(value, 4) for name, value in result.metrics.items()}, flush=True)
    return {
        "metrics": {name: float(np.mean([x[name] for x in scores])) for name in scores[0]},
        "std": {name: float(np.std([x[name] for x in scores])) for name in scores[0]},
        "runs": scores,
        "training_seconds": [round(x, 1) for x in seconds],
        "parameters": sum(int(np.prod(weight.shape)) for weight in model.trainable_variables),
        "recipe": describe_recipe(recipe),
        "protocol": {
            **result.protocol,
            "split": "each user's latest 15 % are predicted from the rest",
            "seeds": list(seeds),
        },
        "versions": describe_versions(),
        "machine": describe_machine(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="MovieLens' folder")
    parser.add_argument("--features", type=pathlib.Path, help="cache folder of encoded movies")
    parser.add_argument("--models", nargs="*", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--left-out",
        nargs="*",
        default=[],
        help="modalities to omit from graph fusion, or all",
    )
    parser.add_argument("--validation", action="store_true", help="score on training ratings")
    parser.add_argument("--json", type=pathlib.Path, help="file of results")
    arguments = parser.parse_args()
    interactions, movies = read_movielens(arguments.data)
    train, test = split_interactions(interactions)
    if arguments.validation:
        train, test = split_interactions(train)
    items = load_item_features(movies, arguments.features)
    jobs = {name: (get_recommender_recipe(name), items) for name in arguments.models}
    for name in arguments.left_out:
        # Without all modalities: a constant feature shows the effect of the loss alone.
        nothing = ItemFeatures(items.item_ids, {"nothing": np.zeros((len(items), 1), "float32")})
        kept = nothing if name == "all" else items.drop(name)
        jobs[f"graph_fusion without {name}"] = (get_recommender_recipe("graph_fusion"), kept)
    for name, (recipe, known) in jobs.items():
        print(name)
        seeds = range(arguments.seeds if recipe.epochs else 1)
        result = run(recipe, train, test, known, seeds)
        print(name, result.metrics, flush=True)
        if arguments.json:
            results = {}
            if arguments.json.is_file():
                results = json.loads(arguments.json.read_text(encoding="utf-8"))
            results[name] = result
            write_results(arguments.json, results)


if __name__ == "__main__":
    main()

"""Measures the accuracy of node classifiers on a citation graph, as in their papers.

    KERAS_BACKEND=jax python benchmarks/planetoid.py --data planetoid \\
        --json benchmarks/results/planetoid.json

Each model is trained on Planetoid's split `--runs` times with different seeds, or as often as
`--minutes` permits. Settings are those of the papers; nothing is selected on test nodes. Runs that
are already in the file are not repeated; the command continues with the next seed.
"""

import argparse
import dataclasses
import json
import pathlib
import time

from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import read_planetoid
from keras_mmfusion.models.node_classification import score_node_recipe
from keras_mmfusion.models.node_classification.node_recipe import RECIPES
from keras_mmfusion.models.runs.run_record import list_changes


def show(runs):
    for model, scores in runs:
        print(scores, flush=True)
        yield model, scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of ind.* files")
    parser.add_argument("--dataset", default="cora")
    parser.add_argument("--models", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10, help="at most, for each model")
    parser.add_argument("--json", type=pathlib.Path, required=True, help="where the results go")
    arguments = parser.parse_args()
    data = read_planetoid(arguments.data, arguments.dataset)
    for name in arguments.models:
        results = {}
        if arguments.json.is_file():
            results = json.loads(arguments.json.read_text(encoding="utf-8"))
        models = results.setdefault(arguments.dataset, {})
        before = models.get(name, {"runs": [], "parts": []})
        if before["runs"]:
            recipe = dataclasses.asdict(RECIPES[name])
            del recipe["model"], recipe["seed"]
            changes = list_changes(before["protocol"]["recipe"], recipe)
            if changes:
                parser.error(f"--json has {name} by another recipe: {'; '.join(changes)}")
        if len(before["runs"]) >= arguments.runs:
            continue
        start = time.perf_counter()
        result = score_node_recipe(
            RECIPES[name], data, arguments.runs, 60 * arguments.minutes, show, before["runs"]
        )
        part = {
            "runs": len(result.samples) - len(before["runs"]),
            "seconds": round(time.perf_counter() - start, 1),
            "versions": describe_versions(),
            "machine": describe_machine(),
        }
        models[name] = {
            "metrics": result.metrics,
            "protocol": result.protocol,
            "runs": result.samples,
            "parts": [*before["parts"], part],
        }
        write_results(arguments.json, results)
        print(name, result.metrics)


if __name__ == "__main__":
    main()

"""Measures node classification, link prediction, and communities on social networks.

    KERAS_BACKEND=torch python benchmarks/social.py nodes --data social --dataset blogcatalog \\
        --json benchmarks/results/social.json

The tasks are `nodes`, `links` and `communities`. Each method has one run for each seed,
which also determines the split. Runs that are already in the file are not repeated. Install
`benchmarks/requirements.txt` into an environment of its own, next to this library.
"""

import argparse
import functools
import json
import pathlib
import time

import numpy as np
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import read_attributed_npz, read_twitch, split_nodes
from keras_mmfusion.metrics import classification_scores


def read_graph(folder, dataset):
    path = folder / f"{dataset}.npz"
    return read_attributed_npz(path) if path.is_file() else read_twitch(folder / dataset)


def list_node_runs(folder, dataset):
    """Returns a dict, name of a method -> function of a seed that returns its scores."""
    from social_nodes import METHODS

    graph = read_graph(folder, dataset)

    def run(method, seed):
        split = split_nodes(graph.labels, seed=seed)
        probabilities = method(graph, split, seed)
        scores = {}
        for part, nodes in (("validation_", split[1]), ("", split[2])):
            each = classification_scores(graph.labels[nodes], probabilities[nodes].argmax(axis=1))
            scores |= {f"{part}micro_f1": each["accuracy"], f"{part}macro_f1": each["macro_f1"]}
        return scores

    return {name: functools.partial(run, method) for name, method in METHODS.items()}


def list_link_runs(folder, dataset):
    from social_links import list_runs

    return list_runs(read_graph(folder, dataset))


def list_community_runs(folder, dataset):
    from social_communities import list_runs

    return list_runs(read_graph(folder, dataset))


LISTS = {"nodes": list_node_runs, "links": list_link_runs, "communities": list_community_runs}


def read_results(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def find_seeds(arguments, method):
    """Returns the seeds of the runs that are in the file."""
    methods = read_results(arguments.json).get(arguments.task, {}).get(arguments.dataset, {})
    return [run["seed"] for run in methods.get(method, {"runs": []})["runs"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=list(LISTS))
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the graphs")
    parser.add_argument("--dataset", required=True, help="such as blogcatalog")
    parser.add_argument("--methods", nargs="+", help="default: all")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=pathlib.Path, required=True, help="where the results go")
    arguments = parser.parse_args()
    runs = LISTS[arguments.task](arguments.data, arguments.dataset)
    for seed in range(arguments.runs):
        for name in arguments.methods or runs:
            if seed in find_seeds(arguments, name):
                continue
            start = time.process_time()
            scores = runs[name](seed)
            seconds = round(time.process_time() - start, 1)
            results = read_results(arguments.json)  # Another task may have written meanwhile.
            methods = results.setdefault(arguments.task, {}).setdefault(arguments.dataset, {})
            method = methods.setdefault(name, {"runs": []})
            method["runs"].append({"seed": seed, **scores, "cpu_seconds": seconds})
            method |= {
                metric: {
                    "mean": float(np.mean([run[metric] for run in method["runs"]])),
                    "std": float(np.std([run[metric] for run in method["runs"]])),
                }
                for metric in scores
            }
            results |= {"versions": describe_versions(), "machine": describe_machine()}
            write_results(arguments.json, results)
            print(arguments.dataset, name, seed, scores, seconds, flush=True)


if __name__ == "__main__":
    main()

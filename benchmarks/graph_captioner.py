"""Compares a `GraphCaptioner` with a `TransformerCaptioner` on Flickr8k with the same budget.

    python benchmarks/graph_captioner.py --data FLICKR8K --runs RUNS

Both have a frozen EfficientNet-Lite2 and the default decoder; the graph captioner first applies two
graph convolutions to the image tokens. RUNS stores feature maps (1.2 GB), checkpoints and presets,
so an interrupted run can be resumed. The epoch is selected on dev, which is scored with greedy
search and 4 beams. Training uses PyTorch and captioning TensorFlow, the fastest backends on CPUs.
Writes `benchmarks/results/graph_captioner.json`.
"""

import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys

from write_results import write_results

from keras_mmfusion.zoo.presets import get_fingerprint

GRAPH_LAYERS = {"transformer": 0, "graph": 2}
SETTINGS = {
    "--encoder": "efficientnet_lite2_imagenet",
    "--views": "6",
    "--epochs": "5",
    "--dtype": "mixed_bfloat16",
    "--seed": "0",
}
TRAINED_ON = "torch"
SEARCHES = {"greedy": 1, "4 beams": 4}


def mmfusion(backend, *arguments):
    command = [sys.executable, "-m", "keras_mmfusion.cli.main", *arguments]
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, check=True)


def train(data, runs, name):
    """Trains a captioner; returns the rows of its log, one per epoch."""
    settings = [word for pair in SETTINGS.items() for word in pair]
    graph_layers = ["--graph-layers", str(GRAPH_LAYERS[name])]
    folders = ["--data", data, "--out", str(runs / name), "--features", str(runs / "features")]
    mmfusion(TRAINED_ON, "train", "captioner", *folders, *settings, *graph_layers)
    log = runs / f"{name}.training" / "cross_entropy" / "log.csv"
    with log.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluate(data, runs, name, beams):
    path = runs / f"{name}_{beams}.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if result is None or result["protocol"]["preset_hash"] != get_fingerprint(runs / name):
        preset = ["--preset", str(runs / name), "--data", data, "--split", "dev"]
        search = ["--beams", str(beams), "--json", str(path)]
        mmfusion("tensorflow", "evaluate", "captioner", *preset, *search)
        result = json.loads(path.read_text(encoding="utf-8"))
    return result["metrics"], result["protocol"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "graph_captioner.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--runs", type=pathlib.Path, required=True)
    options = parser.parse_args()
    report = {"settings": SETTINGS, "trained_on": TRAINED_ON, "models": {}, "decoding": {}}
    for name, layers in GRAPH_LAYERS.items():
        log = train(options.data, options.runs, name)
        result = {"graph_layers": layers, "dev_cider_of_epochs": [float(r["cider"]) for r in log]}
        result["seconds_of_epochs"] = [float(row["seconds"]) for row in log]
        for search, beams in SEARCHES.items():
            result[search], protocol = evaluate(options.data, options.runs, name, beams)
            report["decoding"][search] = protocol["decoding"]
        report["models"][name] = result
    protocol = {key: protocol[key] for key in ("data", "split", "images", "machine", "versions")}
    write_results(options.json, {**report, "protocol": protocol})


if __name__ == "__main__":
    main()

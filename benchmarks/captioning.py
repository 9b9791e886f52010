"""Compares the speed of caption generation and captioner training with other implementations.

One command, on an idle machine, from the repository's root:

    python benchmarks/captioning.py

Creates an environment for the peers (`benchmarks/.venv`, from `requirements.txt`), and writes
medians and ratios to `benchmarks/results/captioning.json`. Every peer is a separate process. Peers
run alternately, so other load on the machine affects all of them equally. Every search generates
all tokens, so all peers do the same work.

The file keeps the runs of earlier days, because ratios differ between days and machines. The tables
show the latest run, and the range of all runs.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

from captioner_sizes import CAPTIONS, LENGTH, THREADS, TRAINING_BATCH
from peer_environment import create_environment
from peer_process import PeerProcess, seconds
from synthetic_photos import write_photos
from write_results import write_results

HERE = pathlib.Path(__file__).parent
BATCH_SIZES, BEAMS = (1, 32), (1, 4)
DTYPES = ("float32", "mixed_bfloat16")
SLOWEST = 120.0  # Seconds for all repeats of a configuration.


def alternate(functions, repeats):
    """Runs functions alternately after a warm-up; returns the median result of each."""
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(function())
        if sum(map(sum, times.values())) > SLOWEST and len(times[name]) >= 3:
            break
    return {name: statistics.median(each) for name, each in times.items()}


def time_generation(python, repeats):
    """Measures captions per second in every configuration, from images and from image tokens."""
    results = {"versions": {}, "cells": []}
    with (
        PeerProcess(
            [sys.executable, HERE / "captioning_keras.py"], **make_keras_environment("tensorflow")
        ) as ours,
        PeerProcess([python, HERE / "captioning_transformers.py"]) as transformers,
    ):
        results["versions"] = {**ours.versions, **transformers.versions}
        for batch_size in BATCH_SIZES:
            encoders = alternate(
                {
                    "ours": lambda b=batch_size: ours("time_encoder", batch_size=b),
                    "transformers": lambda b=batch_size: transformers("time_encoder", batch_size=b),
                },
                repeats,
            )
            for beams in BEAMS:
                if not ours("same_captions", batch_size=batch_size, beams=beams):
                    raise AssertionError(f"caches change captions: {batch_size=}, {beams=}")
                cell = {"batch_size": batch_size, "beams": beams, "same_without_caches": True}
                for from_images in (True, False):
                    arguments = {
                        "batch_size": batch_size,
                        "beams": beams,
                        "from_images": from_images,
                    }
                    peers = {
                        name: lambda n=name, a=arguments: ours("time_search", peer=n, **a)
                        for name in ("ours", "without_caches", "keras_example", "keras_hub_sampler")
                    }
                    peers["transformers"] = lambda a=arguments: transformers("time_search", **a)
                    medians = alternate(peers, repeats)
                    cell["from_images" if from_images else "from_image_tokens"] = {
                        "captions_per_second": {n: batch_size / t for n, t in medians.items()},
                        "times_faster_than": {
                            n: t / medians["ours"] for n, t in medians.items() if n != "ours"
                        },
                    }
                cell["encoder_seconds"] = encoders
                results["cells"].append(cell)
                print(json.dumps(cell), file=sys.stderr)
    return results


def time_training(repeats):
    """Measures samples (an image and its captions) per second, and the parts of a step from
    JPEGs."""
    with (
        PeerProcess(
            [sys.executable, HERE / "captioner_training_keras.py"],
            **make_keras_environment("torch"),
        ) as ours,
        PeerProcess([sys.executable, HERE / "plain_torch_captioner.py"]) as plain,
    ):
        results = {"versions": {**ours.versions, **plain.versions}}
        for dtype in DTYPES:
            medians = alternate(
                {
                    "ours": lambda d=dtype: ours("time_training", dtype=d),
                    "plain_torch": lambda d=dtype: plain("time_training", dtype=d),
                },
                repeats,
            )
            results[dtype] = {
                "samples_per_second": {n: TRAINING_BATCH / t for n, t in medians.items()},
                "times_faster_than_plain_torch": medians["plain_torch"] / medians["ours"],
            }
            print(dtype, json.dumps(results[dtype]), file=sys.stderr)
        parts = {
            "input_pipeline": lambda: ours("time_input_pipeline"),
            "encoder": lambda: ours("time_encoder"),
            "decoder_training_step": lambda: ours("time_training", dtype="float32"),
        }
        results["seconds_of_a_batch"] = alternate(parts, repeats)
    return results


def time_command(preset, repeats):
    """Compares a cold `mmfusion caption PHOTO` with the import of its dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        [photo] = write_photos(folder, 1)
        arguments = ["caption", photo, *(["--preset", preset] if preset else [])]
        commands = {
            "caption": [sys.executable, "-m", "keras_mmfusion.cli.main", *arguments],
            "import": [sys.executable, "-c", "import tensorflow, keras_hub"],
        }
        medians = alternate(
            {name: lambda c=command: time_process(c) for name, command in commands.items()}, repeats
        )
    return {"seconds": medians, "times_the_import": medians["caption"] / medians["import"]}


def time_process(command):
    run = {
        "check": True,
        "capture_output": True,
        "env": {**os.environ, **make_keras_environment("tensorflow")},
    }
    return seconds(lambda: subprocess.run(command, **run))


def make_keras_environment(backend):
    return {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
    }


def describe_machine():
    model = ""
    if pathlib.Path("/proc/cpuinfo").exists():
        lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next((x.split(": ")[1] for x in lines if x.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": THREADS,
        "load_before": os.getloadavg()[0],
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", default=str(HERE / "results" / "captioning.json"))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--preset", help="of the timed command; by default the command's own")
    parser.add_argument("--peers-python", help="a Python with the peers' requirements")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["generation", "training", "command"],
        help="those to time; the others stay as measured on the same day",
    )
    options = parser.parse_args()
    path = pathlib.Path(options.json)
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    date = datetime.date.today().isoformat()
    run = runs.pop() if runs and runs[-1]["date"] == date else {}
    run |= {
        "date": date,
        "script": "benchmarks/captioning.py",
        "machine": describe_machine(),
        "search": {"tokens": LENGTH, "every_token_written": True},
        "training_batch": {"images": TRAINING_BATCH, "captions_each": CAPTIONS, "tokens": LENGTH},
    }
    parts = {
        "generation": lambda: time_generation(
            options.peers_python or create_environment("requirements.txt"), options.repeats
        ),
        "training": lambda: time_training(options.repeats),
        "command": lambda: time_command(options.preset, options.repeats),
    }
    for name in options.parts:
        run[name] = parts[name]()
    write_results(path, {"runs": [*runs, run]})


if __name__ == "__main__":
    main()

"""Measures a worker of `mmfusion caption-dataset`, and extrapolates to a billion photos.

    python benchmarks/bulk.py --price 0.09

`--price` (dollars per worker hour) and `--days` are assumptions of the user. Two runs in separate
processes caption JPEGs of 500 by 375 pixels; the second has `--images` more. The rate is that of
the additional images, so it excludes imports, loading the model and planning its graph, which
happen once per worker and are reported as `start_seconds`. Writes `benchmarks/results/bulk.json`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from synthetic_photos import write_photos
from write_results import write_results

from keras_mmfusion._provenance import describe_machine

FEW = 32
BILLION = 10**9


def run(folder, photos, model):
    """Runs the command on some of the photos; returns the seconds and its output."""
    listed = folder / f"photos-{photos}"
    listed.mkdir(parents=True)
    write_photos(listed, photos)
    command = [sys.executable, "-m", "keras_mmfusion.cli.main", "caption-dataset"]
    command += ["--input", f"{listed}/*.jpg", "--out", str(folder / f"out-{photos}")]
    command += ["--saved-model", str(model), "--images-per-shard", "100"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    written = json.loads(done.stdout.splitlines()[-1])
    assert written["captions"] == photos, written
    return seconds


def arithmetic(images_per_second, price, days):
    """Computes the resources for a billion images, as a dict."""
    hours = BILLION / images_per_second / 3600
    return {
        "worker_hours": hours,
        "days": days,
        "workers": hours / (days * 24),
        "dollars_per_worker_hour": price,
        "dollars": hours * price,
        "dollars_per_million": hours * price / 1000,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    results = pathlib.Path(__file__).parent / "results" / "bulk.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--preset", default="captioner_flickr8k_lite0")
    parser.add_argument("--beams", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--price", type=float, required=True, help="dollars a worker's hour")
    parser.add_argument("--days", type=float, default=7, help="that a billion images may take")
    options = parser.parse_args()
    report = {
        "machine": describe_machine(),
        "images": options.images,
        "size": [500, 375],
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as name:
        for beams in options.beams:
            folder = pathlib.Path(name, str(beams))
            command = [sys.executable, "-m", "keras_mmfusion.cli.main", "export", "captioner"]
            command += [
                "--preset",
                options.preset,
                "--beams",
                str(beams),
                "--out",
                folder / "model",
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            few = run(folder, FEW, folder / "model" / "1")
            many = run(folder, FEW + options.images, folder / "model" / "1")
            if many <= few:
                raise RuntimeError(
                    f"{FEW + options.images} photos took {many:.0f} s, {FEW} took {few:.0f} s: "
                    "measure on an idle machine, with more --images."
                )
            rate = options.images / (many - few)
            report["runs"].append(
                {
                    "preset": options.preset,
                    "beams": beams,
                    "images_per_second_of_a_worker": rate,
                    "cores_of_a_worker": os.cpu_count(),
                    "start_seconds": few - FEW / rate,
                    "billion": arithmetic(rate, options.price, options.days),
                }
            )
            print(report["runs"][-1])
            write_results(options.json, report)


if __name__ == "__main__":
    main()

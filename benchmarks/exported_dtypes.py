"""Measures a captioner exported in each dtype: size, CPU seconds per photo, and scores.

    python benchmarks/exported_dtypes.py --data DATA --limit 200

Uses the first `--limit` photos of Flickr8k's dev split, by default all of them. Every SavedModel
captions batches of 32 files, and the first 32 files one by one; the first call, which plans the
graph, is timed separately. Times are CPU seconds on all cores, which depend little on other load.
Results that are already in `benchmarks/results/exported_dtypes.json` are not measured again.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.metrics.captions.caption_scores import coco_caption_scores

BATCH = 32
DTYPES = ("float32", "float16", "bfloat16", "int8")


def ask(signature, files):
    result = signature(image_bytes=tf.constant(np.array(files, dtype=object)))
    return [caption.decode() for caption in result["captions"].numpy()]


def seconds(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def measure(version, pairs):
    """Measures an exported model; returns a dict."""
    sizes = [path.stat().st_size for path in version.rglob("*") if path.is_file()]
    loading, loaded = seconds(tf.saved_model.load, version)
    signature = loaded.signatures["serving_default"]
    files = [pathlib.Path(path).read_bytes() for path in pairs.images]
    first, _ = seconds(ask, signature, files[:BATCH])
    ask(signature, files[:1])
    single = [seconds(ask, signature, [file])[0] for file in files[:BATCH]]
    captions, batches = [], []
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        time_taken, result = seconds(ask, signature, batch)
        captions += result
        batches.append(time_taken / len(batch))
    references = [[text for text in texts if text.strip()] for texts in pairs.captions]
    scores = coco_caption_scores(
        dict(enumerate(references)), dict(enumerate(captions)), ("bleu", "cider")
    )
    return {
        "megabytes": round(sum(sizes) / 2**20, 1),
        "cpu_load_seconds": round(loading, 2),
        "cpu_first_call_seconds": round(first, 2),
        "cpu_seconds_per_photo_in_batches_of_32": statistics.median(batches),
        "cpu_seconds_per_photo_alone": statistics.median(single),
        "bleu_4": scores["bleu_4"],
        "cider": scores["cider"],
    }


def export(preset, folder, beams, dtype):
    """Exports a captioner with the command line; returns the path of the version."""
    command = [sys.executable, "-m", "keras_mmfusion.cli.main", "export", "captioner"]
    command += ["--preset", preset, "--beams", str(beams), "--dtype", dtype, "--out", folder]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(run.stdout.strip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "exported_dtypes.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--limit", type=int, help="only the first photos of dev")
    parser.add_argument("--preset", default="captioner_flickr8k_lite0")
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--dtypes", nargs="*", choices=DTYPES, default=DTYPES)
    options = parser.parse_args()
    pairs = read_flickr8k(options.data, "dev")
    pairs = pairs if options.limit is None else pairs.take(options.limit)
    protocol = {
        "preset": options.preset,
        "beams": options.beams,
        "data": "flickr8k",
        "split": "dev",
        "images": len(pairs),
        "seeds": [],  # Beam search uses no random numbers.
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    report = {"protocol": protocol, "dtypes": {}}
    if options.json.exists():
        result = json.loads(options.json.read_text("utf-8"))
        report = result if result["protocol"] == protocol else report
    for dtype in options.dtypes:
        if dtype in report["dtypes"]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            version = export(options.preset, folder, options.beams, dtype)
            report["dtypes"][dtype] = measure(version, pairs)
        print(dtype, report["dtypes"][dtype])
        write_results(options.json, report)


if __name__ == "__main__":
    main()

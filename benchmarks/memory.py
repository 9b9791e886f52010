"""Measures resident memory while a captioner captions 10,000 photos; it must stay constant.

    python benchmarks/memory.py

Uses the default captioner with 4 beams, and `--files` JPEGs repeatedly. Writes
`benchmarks/results/memory.json`. Linux only.
"""

import argparse
import pathlib
import sys
import tempfile

from resident_memory import resident_megabytes
from synthetic_photos import write_photos
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.zoo import captioner

BATCH_SIZE = 32


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "memory.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=200)
    options = parser.parse_args()
    model = captioner()
    with tempfile.TemporaryDirectory() as folder:
        files = write_photos(folder, options.files)
        paths = [files[i % len(files)] for i in range(options.images)]
        # One call per tenth, like an evaluation.
        share = max(len(paths) // 10, 1)
        samples = []
        for start in range(0, len(paths), share):
            model.generate(paths[start : start + share], batch_size=BATCH_SIZE)
            samples.append(round(resident_megabytes(), 1))
            print(f"{start + share} images: {samples[-1]} MB", file=sys.stderr)
    # The first tenth includes compilation, buffers and thread pools.
    growth = (samples[-1] - samples[0]) / samples[0]
    report = {
        "images": options.images,
        "resident_megabytes": samples,
        "growth": growth,
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    write_results(options.json, report)


if __name__ == "__main__":
    main()

"""Measures an exported captioner under load, and next to `generate`.

    python benchmarks/serving.py

The SavedModel runs in a separate process in the replacement for TensorFlow Serving that the tests
use, which batches concurrent requests as in `examples/serving/batching.config`. This shows the
behavior of the exported graph under load, not the speed of TensorFlow Serving.

- Throughput and latencies with 1, 8 and 32 gRPC clients, one photo per request.
- The peak memory of the server, and its growth during `--minutes` of requests.
- The time to load the model and to the first response.
- Captions per second of the SavedModel and of `generate`, alternately in one process.

Writes `benchmarks/results/serving.json`. Linux only: reads `/proc`.
"""

import argparse
import contextlib
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
import threading
import time

import numpy as np
from synthetic_photos import write_photos
from write_results import write_results

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = (1, 8, 32)
BATCH = 32


def serve(folder, connection):
    """Serves until a message arrives on the connection."""
    sys.path.insert(0, str(HERE.parent / "tests" / "serving"))
    import tensorflow  # noqa: F401  Exclude the import from the loading time.
    from conformance_server import Batcher, Model, run_server

    start = time.perf_counter()
    model = Model("captioner", folder, batcher=Batcher(BATCH))
    seconds = time.perf_counter() - start
    with run_server(model, threads=max(CLIENTS)) as (address, _):
        connection.send((address, seconds))
        connection.recv()


@contextlib.contextmanager
def server(folder):
    """Starts a server; yields its address, process id and loading seconds."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(folder, there))
    process.start()
    try:
        address, seconds = here.recv()
        yield address, process.pid, seconds
    finally:
        here.send("stop")
        process.join()


def megabytes(pid, field):
    """Reads `VmRSS` (resident memory) or `VmHWM` (its peak) of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return round(int(line.split()[1]) / 1024, 1)
    raise ValueError(field)


def load(address, files, clients, seconds):
    """Returns the latencies in seconds of all requests of concurrent clients."""
    from keras_mmfusion.serving import GrpcClient

    end = time.perf_counter() + seconds
    latencies = []

    def ask(number):
        with GrpcClient(address, "captioner", timeout=120.0, retries=0) as client:
            while (start := time.perf_counter()) < end:
                photo = files[(number + len(latencies)) % len(files)]
                result = client.predict({"image_bytes": [photo]})
                assert result["error_codes"][0] == 0
                latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, time.perf_counter() - start


def measure_load(folder, files, seconds, minutes):
    """Measures loading, first response, throughput, latencies and memory; returns a dict."""
    with server(folder) as (address, pid, load_seconds):
        from keras_mmfusion.serving import GrpcClient

        start = time.perf_counter()
        with GrpcClient(address, "captioner", timeout=600.0) as client:
            client.predict({"image_bytes": files[:1]})
            first = time.perf_counter() - start
            client.predict({"image_bytes": files[:BATCH]})
        report = {"load_seconds": load_seconds, "first_answer_seconds": first, "clients": []}
        for clients in CLIENTS:
            latencies, taken = load(address, files, clients, seconds)
            report["clients"].append(
                {
                    "clients": clients,
                    "requests": len(latencies),
                    "captions_per_second": len(latencies) / taken,
                    **{
                        f"p{percent}_milliseconds": float(np.percentile(latencies, percent)) * 1000
                        for percent in (50, 90, 99)
                    },
                }
            )
            print(report["clients"][-1], file=sys.stderr)
        samples = []
        for _ in range(10):  # Ten intervals.
            latencies, _ = load(address, files, 8, minutes * 6)
            samples.append(megabytes(pid, "VmRSS"))
        report["memory"] = {
            "minutes": minutes,
            "clients": 8,
            "megabytes": samples,
            # The first tenth includes buffers and thread pools.
            "growth": (samples[-1] - samples[0]) / samples[0],
            "peak_megabytes": megabytes(pid, "VmHWM"),
        }
    return report


def compare_with_generate(version, model, paths, beams, repeats):
    """Measures captions per second of the SavedModel and of `generate` alternately."""
    import tensorflow as tf

    signature = tf.saved_model.load(version).signatures["serving_default"]

    def exported():
        files = [pathlib.Path(path).read_bytes() for path in paths]
        result = signature(image_bytes=tf.constant(np.array(files, dtype=object)))
        return [caption.decode() for caption in result["captions"].numpy()]

    functions = {"exported": exported, "generate": lambda: model.generate(paths, beams=beams)}
    captions = {name: function() for name, function in functions.items()}
    taken = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            taken[name].append(time.perf_counter() - start)
    rates = {name: len(paths) / statistics.median(each) for name, each in taken.items()}
    same = [a == b for a, b in zip(captions["exported"], captions["generate"], strict=True)]
    return {
        "captions_per_second": rates,
        "exported_over_generate": rates["exported"] / rates["generate"],
        # JPEG decoders may round pixels differently.
        "same_captions": float(np.mean(same)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = HERE / "results" / "serving.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--preset", default="captioner_flickr8k_lite0")
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30, help="for each number of clients")
    parser.add_argument("--minutes", type=float, default=10, help="that memory is watched")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()

    from keras_mmfusion._provenance import describe_machine, describe_versions
    from keras_mmfusion.zoo import captioner

    model = captioner(options.preset)
    with tempfile.TemporaryDirectory() as name:
        paths = write_photos(name, BATCH)
        files = [pathlib.Path(path).read_bytes() for path in paths]
        folder = pathlib.Path(name, "model")
        version = model.export(folder, beams=options.beams)
        report = {
            "preset": options.preset,
            "beams": options.beams,
            "photos": "JPEG, 500 by 375",
            "machine": describe_machine(),
            "versions": describe_versions(),
            "beside_generate": compare_with_generate(
                version, model, paths, options.beams, options.repeats
            ),
        }
        print(report["beside_generate"], file=sys.stderr)
        report["under_load"] = measure_load(str(folder), files, options.seconds, options.minutes)
    write_results(options.json, report)


if __name__ == "__main__":
    main()

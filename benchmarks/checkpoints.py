"""Compares the speed and memory of converted checkpoints with transformers on PyTorch.

One command, on an idle machine, from the repository's root:

    python benchmarks/checkpoints.py

Writes `benchmarks/results/checkpoints.json`. The checkpoints have published configurations and
random weights, which `transformers` saves. Each side is a process of its own, and they take turns,
so other load on the machine affects both. Times of captioning are from decoded photos to token
ids, with a fixed number of tokens, and include resizing.

Results are written as soon as a model has been measured in one dtype. `--resume` continues a run
that was interrupted: it keeps what the file contains. `--size tiny` tries the script out.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
from captioning import make_keras_environment
from peer_environment import create_environment
from peer_process import PeerProcess
from synthetic_photos import make_photos
from write_results import write_results

from keras_mmfusion._provenance import describe_machine

HERE = pathlib.Path(__file__).parent
CAPTIONERS = ("blip", "git", "vit_gpt2")
DTYPES = ("float32", "bfloat16")
BATCH_SIZES, BEAMS = (1, 8), (1, 3)
TOKENS, FEW_TOKENS = 20, 2
EMBEDDED, EMBED_BATCH, EMBED_PARTS = 1000, 32, 4


class Comparison:
    """The two processes of one checkpoint in one dtype, which have loaded it.

    Args:
        python: the Python of the peer.
        folder: path of the checkpoints.
        repeats: int. The number of timed rounds, after one that warms up.
        limit: float. Seconds after which two rounds are enough.
    """

    def __init__(self, python, folder, repeats, limit):
        environment = make_keras_environment("tensorflow")
        self.repeats, self.limit = repeats, limit
        self.peers = {
            "ours": PeerProcess(
                [sys.executable, HERE / "checkpoints_keras.py", folder], **environment
            ),
            "transformers": PeerProcess([python, HERE / "checkpoints_transformers.py", folder]),
        }
        self.versions = {
            name: version for peer in self.peers.values() for name, version in peer.versions.items()
        }

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for peer in self.peers.values():
            peer.__exit__(*error)

    def time(self, name, warm_up=None, **arguments):
        """Returns the median seconds of each side, and its last results.

        Args:
            name: string. The function of the peers.
            warm_up: dict. Arguments of the first call that differ.
            **arguments: its arguments.
        """
        for peer in self.peers.values():
            peer(name, **{**arguments, **(warm_up or {})})
        times, results = {side: [] for side in self.peers}, {}
        begin = time.perf_counter()
        for repeat in range(self.repeats):
            if repeat >= 2 and time.perf_counter() - begin > self.limit:
                break
            for side, peer in self.peers.items():
                results[side] = peer(name, **arguments)
                times[side].append(results[side]["seconds"])
        return {side: statistics.median(each) for side, each in times.items()}, results


def compare_captioner(options, folder, architecture, dtype):
    """Compares loading, captioning and memory of a captioner."""
    with Comparison(options.peers_python, folder, options.repeats, options.limit) as comparison:
        report = {
            "model": architecture,
            "dtype": dtype,
            "load_before": os.getloadavg()[0],
        }
        report["load"] = compare_loading(comparison, architecture, dtype)
        report["cells"] = [
            compare_search(comparison, batch_size, beams)
            for batch_size in BATCH_SIZES
            for beams in BEAMS
        ]
        report["parts"] = compare_parts(comparison)
        report["peak_megabytes"] = {n: p("get_memory") for n, p in comparison.peers.items()}
    print(json.dumps(report), file=sys.stderr)
    return report, comparison.versions


def compare_loading(comparison, architecture, dtype):
    """Compares the first load, with its memory, and the median of others."""
    arguments = {"architecture": architecture, "dtype": dtype}
    first = {name: peer("load", **arguments) for name, peer in comparison.peers.items()}
    seconds, _ = comparison.time("load", **arguments)
    preset = comparison.peers["ours"]("time_preset", dtype=dtype, repeats=comparison.repeats)
    return {
        "seconds": {**seconds, "our_preset": preset},
        "times_longer": seconds["ours"] / seconds["transformers"],
        "first_seconds": {name: result["seconds"] for name, result in first.items()},
        "megabytes_before": {name: result["megabytes_before"] for name, result in first.items()},
        "peak_megabytes": {name: result["peak_megabytes"] for name, result in first.items()},
        "weights_megabytes": first["transformers"]["weights_megabytes"],
    }


def compare_search(comparison, batch_size, beams):
    arguments = {"batch_size": batch_size, "beams": beams, "tokens": TOKENS}
    seconds, results = comparison.time("generate", **arguments)
    ids = [np.array(results[name]["ids"]) for name in comparison.peers]
    return {
        "batch_size": batch_size,
        "beams": beams,
        "seconds": seconds,
        "times_faster": seconds["transformers"] / seconds["ours"],
        "same_captions": float((ids[0] == ids[1]).all(axis=1).mean()),
        "distinct_tokens": len(np.unique(ids[0])),
    }


def compare_parts(comparison):
    """Compares where the CPU time of one photo is spent: preprocessing, encoder, tokens, the rest.

    The time per token is from captions of two lengths. The rest contains what is done once, such as
    the keys and values of the image.
    """
    report = []
    for beams in BEAMS:
        rounds = {side: [] for side in comparison.peers}
        for _ in range(1 + comparison.repeats):
            for side, peer in comparison.peers.items():
                rounds[side].append(measure_parts(peer, beams))
        medians = {
            side: {name: statistics.median(each[name] for each in parts[1:]) for name in parts[0]}
            for side, parts in rounds.items()
        }
        report.append({"beams": beams, "cpu_seconds": medians})
    return report


def measure_parts(peer, beams):
    encoder = peer("encode", batch_size=1)
    few, all_tokens = (
        peer("generate", batch_size=1, beams=beams, tokens=tokens)["cpu_seconds"]
        for tokens in (FEW_TOKENS, TOKENS)
    )
    token = (all_tokens - few) / (TOKENS - FEW_TOKENS)
    rest = few - sum(encoder.values()) - token * FEW_TOKENS
    return {**encoder, "rest": rest, "token": token}


def compare_embedding(options, folder):
    """Compares the embeddings of photos by CLIP, in parts that take turns."""
    with Comparison(options.peers_python, folder, EMBED_PARTS, float("inf")) as comparison:
        report = {"load_before": os.getloadavg()[0]}
        report["load"] = compare_loading(comparison, "clip", "float32")
        size = options.embedded // EMBED_PARTS
        seconds, results = comparison.time(
            "embed", {"count": EMBED_BATCH}, count=size, batch_size=EMBED_BATCH
        )
        vectors = [np.array(results[name]["vectors"]) for name in comparison.peers]
        report |= {
            "images": size * EMBED_PARTS,
            "batch_size": EMBED_BATCH,
            "seconds": {name: EMBED_PARTS * each for name, each in seconds.items()},
            "times_faster": seconds["transformers"] / seconds["ours"],
            "least_cosine": float((vectors[0] * vectors[1]).sum(axis=1).min()),
            "peak_megabytes": {n: p("get_memory") for n, p in comparison.peers.items()},
        }
    print(json.dumps(report), file=sys.stderr)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", default=str(HERE / "results" / "checkpoints.json"))
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0)
    parser.add_argument("--embedded", type=int, default=EMBEDDED, help="photos for CLIP")
    parser.add_argument("--models", nargs="+", default=CAPTIONERS, choices=CAPTIONERS)
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--resume", action="store_true", help="keep the results in the file")
    parser.add_argument("--peers-python", help="a Python with the peers' requirements")
    options = parser.parse_args()
    options.peers_python = options.peers_python or create_environment("requirements.txt")
    path = pathlib.Path(options.json)
    is_resumed = options.resume and path.exists()
    results = json.loads(path.read_text("utf-8")) if is_resumed else start_results(options)
    done = {(report["model"], report["dtype"]) for report in results["captioners"]}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "photos.npy", make_photos(EMBED_BATCH, (500, 375)))
        for architecture in options.models:
            dtypes = [dtype for dtype in options.dtypes if (architecture, dtype) not in done]
            if dtypes:
                write_checkpoint(options, folder, architecture)
            for dtype in dtypes:
                report, results["versions"] = compare_captioner(
                    options, folder, architecture, dtype
                )
                results["captioners"].append(report)
                write_results(path, results)
        if "embedding" not in results:
            write_checkpoint(options, folder, "clip")
            results["embedding"] = compare_embedding(options, folder)
            write_results(path, results)
    cells = [x for r in results["captioners"] if r["dtype"] == "float32" for x in r["cells"]]
    if not all(cell["same_captions"] == 1 for cell in cells):
        sys.exit("Captions differ in float32.")


def start_results(options):
    return {
        "script": "benchmarks/checkpoints.py",
        "machine": describe_machine(),
        "date": datetime.date.today().isoformat(),
        "size": options.size,
        "tokens": TOKENS,
        "captioners": [],
    }


def write_checkpoint(options, folder, architecture):
    """Writes a checkpoint with random weights."""
    command = [options.peers_python, HERE / "checkpoints_transformers.py", folder]
    with PeerProcess(command) as transformers:
        transformers("write", architecture=architecture, size=options.size)


if __name__ == "__main__":
    main()

"""Compares the speed of fusion rules and cross-attention with PyTorch and Keras.

Run it on an idle machine from the repository's root; it takes several minutes:

    python benchmarks/fusion_layers.py --json benchmarks/results/fusion_layers.json

Compares each rule on Keras's PyTorch backend with plain PyTorch (the same number of weights, both
eager), and on TensorFlow with XLA; compares cross-attention with `nn.MultiheadAttention` and
`keras.layers.MultiHeadAttention`. Every peer is a separate process; peers run alternately. Ratios
are of medians. Also measures the memory of cross-attention over many keys and the largest tensor of
tensor fusion. Soft-DTW is measured by `soft_dtw.py`.
"""

import argparse
import json
import pathlib
import statistics
import sys

from captioning import describe_machine, make_keras_environment
from fusion_layer_sizes import (
    ATTENTION,
    MEMORY_KEYS,
    PAIR_RULES,
    TOKEN_RULES,
    VECTOR_RULES,
    rule_shapes,
)
from peer_process import PeerProcess
from write_results import write_results

HERE = pathlib.Path(__file__).parent
PASSES = {"forward": False, "forward_and_backward": True}
SECONDS_OF_A_TURN = 0.1


def take_turns(peers, repeats):
    """Measures the median seconds of a pass of each peer, and the ratios of ours to the others.

    Args:
        peers: dict of name -> function from a number of passes to their mean seconds.
        repeats: int. The number of turns of each peer; a turn takes a tenth of a second.
    """
    counts = {
        name: max(1, round(SECONDS_OF_A_TURN / max(time_pass(1), 1e-6)))
        for name, time_pass in peers.items()
    }
    times = {name: [] for name in peers}
    for _ in range(repeats):
        for name, time_pass in peers.items():
            times[name].append(time_pass(counts[name]))
    return {name: statistics.median(each) for name, each in times.items()}


def time_rules(ours, compiled, plain, names, repeats):
    results = {}
    for name in names:
        weights, expected = ours("rule_weights", layer=name), plain("rule_weights", layer=name)
        if weights != expected:
            raise AssertionError(f"{name} has {weights} weights, its twin {expected}")
        cell = {"shapes": rule_shapes(name), "weights": weights}
        for kind, backward in PASSES.items():
            settings = {"layer": name, "backward": backward}
            medians = take_turns(
                {
                    key: lambda n, p=peer, s=settings: p("time_rule", repeats=n, **s)
                    for key, peer in {
                        "ours": ours,
                        "plain_torch": plain,
                        "ours_on_tensorflow_xla": compiled,
                    }.items()
                },
                repeats,
            )
            cell[kind] = {
                "seconds": medians,
                "times_plain_torch": medians["ours"] / medians["plain_torch"],
            }
        results[name] = cell
        print(name, *(round(cell[kind]["times_plain_torch"], 2) for kind in PASSES), flush=True)
    return results


def time_attention(ours, compiled, plain, repeats):
    results = {}
    for name, (batch, queries, keys, dim) in ATTENTION.items():
        cell = {"batch": batch, "query_tokens": queries, "key_tokens": keys, "dim": dim}
        for kind, backward in PASSES.items():
            settings = {"layer": name, "backward": backward}
            peers = {
                f"{peer}{suffix}": lambda n, p=process, s={**settings, "peer": peer}: p(
                    "time_attention", repeats=n, **s
                )
                for suffix, process in {"": ours, "_on_tensorflow_xla": compiled}.items()
                for peer in ("ours", "keras")
            }
            peers["plain_torch"] = lambda n, s=settings: plain("time_attention", repeats=n, **s)
            medians = take_turns(peers, repeats)
            cell[kind] = {
                "seconds": medians,
                "times_plain_torch": medians["ours"] / medians["plain_torch"],
                "times_keras": medians["ours"] / medians["keras"],
                "times_keras_on_tensorflow_xla": medians["ours_on_tensorflow_xla"]
                / medians["keras_on_tensorflow_xla"],
            }
        results[name] = cell
        print(name, {k: v for kind in PASSES for k, v in cell[kind].items() if k != "seconds"})
    return results


def measure_memory(script):
    """Measures the memory of a pass for each number of keys, in new processes."""
    result = {}
    for keys in MEMORY_KEYS:
        with PeerProcess([sys.executable, script], **make_keras_environment("torch")) as fresh:
            result[keys] = round(fresh("peak_megabytes", keys=keys), 1)
    smaller, larger = (result[keys] for keys in MEMORY_KEYS[-2:])
    return {"megabytes": result, "times_for_twice_the_keys": round(larger / smaller, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="where the results go")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--rules", nargs="+", default=[*VECTOR_RULES, *PAIR_RULES, *TOKEN_RULES], help="all, else"
    )
    options = parser.parse_args()
    script = HERE / "fusion_layers_keras.py"
    results = {"script": "benchmarks/fusion_layers.py", "machine": describe_machine()}
    with (
        PeerProcess([sys.executable, script], **make_keras_environment("torch")) as ours,
        PeerProcess([sys.executable, script], **make_keras_environment("tensorflow")) as compiled,
        PeerProcess([sys.executable, HERE / "fusion_layers_torch.py"]) as plain,
    ):
        results["versions"] = {**ours.versions, **compiled.versions, **plain.versions}
        results["repeats"] = options.repeats
        results["cross_attention"] = time_attention(ours, compiled, plain, options.repeats)
        results["rules"] = time_rules(ours, compiled, plain, options.rules, options.repeats)
        results["tensor_fusion"] = ours("largest_tensor_of_tensor_fusion")
    results["memory_of_cross_attention"] = measure_memory(script)
    print(json.dumps(results, indent=2))
    if options.json:
        write_results(options.json, results)


if __name__ == "__main__":
    main()

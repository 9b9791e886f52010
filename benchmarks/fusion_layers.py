"""Times the fusion rules and cross-attention side by side with PyTorch's and Keras's own.

One command, on an idle machine, from the repository's root; it takes some minutes:

    python benchmarks/fusion_layers.py --json benchmarks/results/fusion_layers.json

Each rule on Keras's PyTorch backend beside the same in plain PyTorch, with as many weights, both
eagerly, and on TensorFlow, compiled by XLA; cross-attention beside `nn.MultiheadAttention` and
`keras.layers.MultiHeadAttention`. Every peer is a process of its own that waits while others run;
they take turns. Ratios are of medians. Then the memory of cross-attention over many keys, and the
largest tensor of the tensor fusion. Soft-DTW has its own `soft_dtw.py`.
"""

import argparse
import json
import pathlib
import statistics
import sys

from captioning import keras_on, machine
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
    """Median seconds of each peer's pass, and how many times ours is slower than the others'.

    Args:
        peers: dict, name -> function of a count that returns the mean seconds of as many passes.
        repeats: int. How many turns each has; in one it makes passes for a tenth of a second.
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
    """Megabytes that a pass over so many keys adds, each in a fresh process."""
    found = {}
    for keys in MEMORY_KEYS:
        with PeerProcess([sys.executable, script], **keras_on("torch")) as fresh:
            found[keys] = round(fresh("peak_megabytes", keys=keys), 1)
    smaller, larger = (found[keys] for keys in MEMORY_KEYS[-2:])
    return {"megabytes": found, "times_for_twice_the_keys": round(larger / smaller, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="where the results go")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--rules", nargs="+", default=[*VECTOR_RULES, *PAIR_RULES, *TOKEN_RULES], help="all, else"
    )
    options = parser.parse_args()
    script = HERE / "fusion_layers_keras.py"
    results = {"script": "benchmarks/fusion_layers.py", "machine": machine()}
    with (
        PeerProcess([sys.executable, script], **keras_on("torch")) as ours,
        PeerProcess([sys.executable, script], **keras_on("tensorflow")) as compiled,
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

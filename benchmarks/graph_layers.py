"""Compares the training step of a GCN with PyTorch Geometric, TF-GNN and Spektral.

    python benchmarks/graph_layers.py --planetoid DATA --json benchmarks/results/graph_layers.json

Two layers, 128 hidden units and Adam on the full graph: Cora, and a random graph of the size of
ogbn-arxiv. Cora's features, of which 1.3% are nonzero, are dense or, if the library supports it,
sparse (compressed rows for PyTorch Geometric, its fastest format). Normalizations are computed once
if possible. Peers with other Keras versions run in environments that the script creates. Every peer
is a separate process; peers run alternately, with 20 steps per turn on Cora. Then measures time and
peak memory of our step on graphs of 1,000 to 1,000,000 nodes with seven edges per node, each in a
new process; `--plot` plots them.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from captioning import alternate, describe_machine, make_keras_environment
from graph_data import CLASSES, HIDDEN, write_cora, write_synthetic
from peer_environment import create_environment
from peer_process import PeerProcess
from write_results import write_results

HERE = pathlib.Path(__file__).parent
ARXIV = {"nodes": 169_343, "edges": 1_166_243, "dim": 128}
SIZES = (1_000, 10_000, 100_000, 1_000_000)
EDGES_PER_NODE = 7
STEPS = 20


def time_peers(graphs, repeats, pyg_python, tfgnn_python):
    """Measures the median seconds of a step on each graph, and the speedup of ours."""
    quiet = make_keras_environment("tensorflow")
    ours = [sys.executable, HERE / "graph_layers_keras.py"]
    with (
        PeerProcess(ours, **make_keras_environment("torch")) as torch,
        PeerProcess(ours, **quiet) as tensorflow,
        PeerProcess(ours, **make_keras_environment("jax")) as jax,
        PeerProcess([pyg_python, HERE / "graph_layers_pyg.py"], **quiet) as pyg,
        PeerProcess([tfgnn_python, HERE / "graph_layers_tfgnn.py"], **quiet) as tfgnn,
    ):
        versions = {
            "ours": [torch.versions, tensorflow.versions, jax.versions],
            **pyg.versions,
            **tfgnn.versions,
        }
        results = {}
        for name, graph in graphs.items():
            steps = {
                "ours_on_torch": lambda g=graph: torch("time_step", **g),
                "ours_on_tensorflow": lambda g=graph: tensorflow("time_step", **g),
                "ours_on_jax": lambda g=graph: jax("time_step", **g),
                "torch_geometric": lambda g=graph: pyg("time_step", **g),
                "tensorflow_gnn": lambda g=graph: tfgnn("time_tfgnn", **g),
                "spektral": lambda g=graph: tfgnn("time_spektral", **g),
            }
            if "entries" in graph:
                del steps["tensorflow_gnn"]  # TF-GNN has no sparse features.
            medians = alternate(steps, repeats)
            ours = [step for step in steps if step.startswith("ours")]
            results[name] = {"seconds": medians} | {
                f"{step}_times_faster_than": _ratios(medians, step) for step in ours
            }
            print(name, json.dumps(results[name]), file=sys.stderr)
    return {"versions": versions, "graphs": results}


def _ratios(medians, name):
    return {peer: t / medians[name] for peer, t in medians.items() if not peer.startswith("ours")}


def measure_scale(folder, repeats):
    """Measures seconds and memory by graph size, and fits power laws."""
    rows = []
    for nodes in SIZES:
        path = folder / f"{nodes}.npz"
        write_synthetic(path, nodes, EDGES_PER_NODE * nodes)
        command = [sys.executable, str(HERE / "graph_layers_scale.py"), str(path), str(repeats)]
        environment = {**os.environ, **make_keras_environment("torch")}
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        rows.append({"nodes": nodes, **json.loads(output.stdout.splitlines()[-1])})
        print(rows[-1], file=sys.stderr)
        path.unlink()
    # Subtract the memory of the process without a graph.
    base = rows[0]["peak_bytes"]
    large = [row for row in rows if row["nodes"] >= 10_000]
    logs = np.log([row["nodes"] for row in large])
    exponents = {
        "seconds": np.polyfit(logs, np.log([row["seconds"] for row in large]), 1)[0],
        "bytes_beyond_the_smallest_graph": np.polyfit(
            logs, np.log([row["peak_bytes"] - base for row in large]), 1
        )[0],
    }
    return {
        "backend": "torch",
        "edges_per_node": EDGES_PER_NODE,
        "sizes": rows,
        "exponents_from_10000_nodes": {name: float(value) for name, value in exponents.items()},
    }


def plot(scale, path):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    nodes = [row["nodes"] for row in scale["sizes"]]
    axes[0].loglog(nodes, [row["seconds"] for row in scale["sizes"]], "o-")
    axes[0].set(xlabel="nodes", ylabel="seconds", title="training step")
    axes[1].loglog(nodes, [row["peak_bytes"] / 2**30 for row in scale["sizes"]], "o-")
    axes[1].set(xlabel="nodes", ylabel="GiB", title="peak memory of the process")
    exponents = scale["exponents_from_10000_nodes"]
    for axis, (name, exponent) in zip(axes, exponents.items(), strict=True):
        what = "" if name == "seconds" else "\nbeyond the smallest graph's"
        label = f"exponent {exponent:.2f} from 10,000 nodes{what}"
        axis.text(0.04, 0.95, label, transform=axis.transAxes, fontsize=8, va="top")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planetoid", required=True, help="folder of Cora's ind.* files")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--pyg-python", help="a Python with PyTorch Geometric")
    parser.add_argument("--tfgnn-python", help="a Python with requirements-tfgnn.txt")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    results = {
        "script": "benchmarks/graph_layers.py",
        "machine": describe_machine(),
        "model": {"layers": 2, "hidden": HIDDEN, "classes": CLASSES, "optimizer": "Adam"},
        "arxiv_size": ARXIV,
        "steps_a_turn": {"cora": STEPS, "arxiv_size": 1},
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        cora, arxiv = str(folder / "cora.npz"), str(folder / "arxiv.npz")
        write_cora(cora, options.planetoid)
        write_synthetic(arxiv, **ARXIV)
        graphs = {
            "cora": {"path": cora, "steps": STEPS},
            "cora_entries": {"path": cora, "steps": STEPS, "entries": True},
            "arxiv_size": {"path": arxiv, "steps": 1},
        }
        results |= time_peers(
            graphs,
            options.repeats,
            options.pyg_python or create_environment("requirements.txt"),
            options.tfgnn_python or create_environment("requirements-tfgnn.txt"),
        )
        results["scale"] = measure_scale(folder, min(options.repeats, 3))
    write_results(options.json, results)
    if options.plot:
        plot(results["scale"], options.plot)


if __name__ == "__main__":
    main()

"""Compares the speed of soft-DTW with Python loops, and with tslearn if it is installed.

    python benchmarks/soft_dtw.py --json benchmarks/results/soft_dtw.json

The loops iterate over pairs of tokens with operations on the batch, in PyTorch with automatic
differentiation and in NumPy with an explicit backward recursion. All times are of a forward and a
backward pass.
"""

import argparse
import json
import os
import pathlib
import platform
import time

import keras
import numpy as np
import tensorflow as tf
from write_results import write_results

from keras_mmfusion.layers.alignment import solve_soft_dtw


def loop_values(cost, gamma):
    """Computes the values of a batch of costs `(batch, rows, columns)`, pair by pair."""
    import torch

    _, rows, columns = cost.shape
    # Unbind once: the gradient of indexing `cost` would be as large as `cost`.
    costs = [row.unbind(1) for row in cost.unbind(1)]
    far = torch.full((len(cost),), 1e30)
    totals = {(0, 0): torch.zeros(len(cost))}
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = [totals.get(k, far) for k in ((i - 1, j - 1), (i - 1, j), (i, j - 1))]
            soft_min = -gamma * torch.logsumexp(-torch.stack(before) / gamma, dim=0)
            totals[i, j] = costs[i - 1][j - 1] + soft_min
    return totals[rows, columns]


def time_torch_loop(cost, gamma):
    import torch

    cost = torch.tensor(cost, requires_grad=True)
    start = time.perf_counter()
    loop_values(cost, gamma).sum().backward()
    return time.perf_counter() - start


def time_numpy_loop(cost, gamma):
    """Returns seconds, values and gradients."""
    start = time.perf_counter()
    cost = np.float64(cost).transpose(1, 2, 0)
    rows, columns, batch_size = cost.shape
    totals = np.full((rows + 1, columns + 1, batch_size), np.inf)
    totals[0, 0] = 0
    weights = np.zeros((rows + 1, columns + 1, 3, batch_size))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = np.stack([totals[i - 1, j - 1], totals[i - 1, j], totals[i, j - 1]])
            least = before.min(axis=0)
            exponentials = np.exp((least - before) / gamma)
            total = exponentials.sum(axis=0)
            weights[i, j] = exponentials / total
            totals[i, j] = cost[i - 1, j - 1] + least - gamma * np.log(total)
    slopes = np.zeros_like(totals)
    slopes[rows, columns] = 1
    for i in range(rows, 0, -1):
        for j in range(columns, 0, -1):
            parts = slopes[i, j] * weights[i, j]
            slopes[i - 1, j - 1] += parts[0]
            slopes[i - 1, j] += parts[1]
            slopes[i, j - 1] += parts[2]
    seconds = time.perf_counter() - start
    return seconds, totals[rows, columns], slopes[1:, 1:].transpose(2, 0, 1)


def solve(cost, gamma):
    with tf.GradientTape() as tape:
        tape.watch(cost)
        values, _ = solve_soft_dtw(cost, gamma)
        total = tf.reduce_sum(values)
    return values, tape.gradient(total, cost)


def time_ours(function, cost, repeats):
    cost = tf.constant(cost)
    function(cost)  # Compiles.
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        values, gradient = (x.numpy() for x in function(cost))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), values, gradient


def time_tslearn(shape, gamma):
    """Times tslearn's loop, compiled by numba, for one pair of sequences at a time."""
    from tslearn.metrics import soft_dtw_alignment

    rng = np.random.default_rng(0)
    pairs = [(rng.random((shape[1], 1)), rng.random((shape[2], 1))) for _ in range(shape[0])]
    soft_dtw_alignment(*pairs[0], gamma=gamma)  # Compiles.
    start = time.perf_counter()
    for pair in pairs:
        soft_dtw_alignment(*pair, gamma=gamma)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=pathlib.Path, help="where the results go")
    parser.add_argument("--shape", type=int, nargs=3, default=[32, 256, 256])
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    gamma = arguments.gamma
    cost = np.random.default_rng(0).random(arguments.shape).astype("float32")
    compiled = tf.function(lambda cost: solve(cost, gamma), jit_compile=True)
    xla, values, gradient = time_ours(compiled, cost, arguments.repeats)
    eager, _, _ = time_ours(lambda cost: solve(cost, gamma), cost, arguments.repeats)
    numpy_loop, expected, slopes = time_numpy_loop(cost, gamma)
    seconds = {
        "keras_mmfusion_xla": xla,
        "keras_mmfusion_eager": eager,
        "numpy_loop": numpy_loop,
        "torch_loop": time_torch_loop(cost, gamma),
    }
    try:
        seconds["tslearn"] = time_tslearn(arguments.shape, gamma)
    except ImportError:
        print("Without tslearn, which is not installed.")
    results = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "shape": arguments.shape,
        "gamma": gamma,
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "times_faster_by_xla": {
            name: round(value / xla, 1) for name, value in seconds.items() if value is not xla
        },
        "largest_relative_difference_of_values": float(np.max(np.abs(values / expected - 1))),
        "largest_difference_of_gradients": float(np.max(np.abs(gradient - slopes))),
    }
    print(json.dumps(results, indent=2))
    if arguments.json:
        write_results(arguments.json, results)


if __name__ == "__main__":
    main()

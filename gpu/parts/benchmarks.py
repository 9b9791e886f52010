"""Measures speed and memory of the library on JAX and PyTorch, and of plain PyTorch.

Writes `gpu.json`, which belongs in `benchmarks/results` if it was measured on a GPU. Cases that are
already in the file are not measured again unless they failed.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

from benchmark_sizes import count_flops, list_cases, sizes
from outputs import read_output, write_output

HERE = pathlib.Path(__file__).resolve().parents[1]
NAME = "gpu"
NEEDS = {}
# Implementation, and Keras's backend for this library.
SIDES = {
    "keras_mmfusion on jax": ("keras_mmfusion", "jax"),
    "plain torch": ("torch", "torch"),
    "keras_mmfusion on torch": ("keras_mmfusion", "torch"),
}


def run(budget_seconds, out):
    end = time.monotonic() + budget_seconds
    record = read_output(out, NAME)
    record = record[0] if record else {"rows": [], "done": False, **device()}
    if record["done"]:
        return
    for dtype in sizes().dtypes:
        for side in SIDES:
            measure_side(record, side, dtype, end, out)
    wanted = len(sizes().dtypes) * len(SIDES) * len(list_cases())
    record["done"] = sum("error" not in row for row in record["rows"]) == wanted
    add_shares(record)
    write_output(out, NAME, record)
    if not record["done"]:
        print(f"{len(record['rows'])} of {wanted} measurements; another call continues.")


def measure_side(record, side, dtype, end, out):
    """Runs the missing cases of an implementation, and writes the record after each."""
    measured = {
        row["case"]
        for row in record["rows"]
        if (row["side"], row["dtype"]) == (side, dtype) and "error" not in row
    }
    missing = [case for case in list_cases() if case not in measured]
    if not missing or time.monotonic() > end - 10:
        return
    record["rows"] = [
        row
        for row in record["rows"]
        if (row["side"], row["dtype"]) != (side, dtype) or row["case"] in measured
    ]
    program, backend = SIDES[side]
    command = [sys.executable, str(HERE / "benchmark_side.py"), program, dtype, *missing]
    # One implementation runs at a time and can use all GPU memory.
    environment = {**os.environ, "KERAS_BACKEND": backend}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        timer = _kill_at(process, end)
        for line in process.stdout:
            result = json.loads(line)
            if "case" in result:
                record["rows"].append({"side": side, "dtype": dtype, **result})
                print(side, dtype, line.strip(), flush=True)
            else:
                record.update(result)
            write_output(out, NAME, record)
        timer.cancel()


def _kill_at(process, end):
    import threading

    timer = threading.Timer(max(0.0, end - time.monotonic()), process.kill)
    timer.daemon = True
    timer.start()
    return timer


def add_shares(record):
    """Adds the reached share of the GPU's bfloat16 peak to each row, if it is known."""
    peak = record.get("bfloat16_matrix_peak")
    for row in record["rows"]:
        work = count_flops(row["case"])
        if peak and work and "seconds" in row:
            row["share_of_bfloat16_peak"] = work / row["seconds"] / peak


def device():
    """Describes the device of the benchmark, without the name of the machine."""
    import importlib.metadata

    packages = ("keras", "keras-hub", "jax", "torch", "numpy")
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"device": _read_device_name(), "versions": versions, "python": sys.version.split()[0]}


def _read_device_name():
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "cpu"

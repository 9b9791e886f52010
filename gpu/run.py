"""Runs parts, one after the other, within a given time.

    python gpu/run.py captioner_lite2 --out OUT --seconds 540

A part is a file of `gpu/parts` with a function `run(budget_seconds, out)`. What is in `--out`
already, or is copied there from `--resume`, the output of an earlier call, is not done again.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PARTS = HERE / "parts"
MOST_FILES, MOST_BYTES = 8, 16 * 10**6


def part_names():
    return sorted(path.stem for path in PARTS.glob("*.py"))


def load_part(name):
    """The module of a part."""
    spec = importlib.util.spec_from_file_location(f"part_{name}", PARTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_limits(out):
    """Says so when the output is more than can be sent back."""
    files = [path for path in out.rglob("*") if path.is_file()]
    large = [path.name for path in files if path.stat().st_size > MOST_BYTES]
    if len(files) > MOST_FILES or large:
        print(
            f"WARNING: the output has {len(files)} files, and {large} are larger than "
            f"{MOST_BYTES:,} bytes: not all may come back.",
            flush=True,
        )


def main():
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=part_names(), metavar="PART")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the output")
    parser.add_argument("--resume", type=pathlib.Path, help="output of an earlier call")
    parser.add_argument("--seconds", type=float, default=525, help="time for all parts together")
    parser.add_argument("--tiny", action="store_true", help="at the smallest size, to see it run")
    parser.add_argument("--steps", type=int, help="train so many steps in place of seconds")
    arguments = parser.parse_args()
    if arguments.tiny:
        os.environ["GPU_TINY"] = "1"
    if arguments.steps:
        os.environ["GPU_STEPS"] = str(arguments.steps)
    sys.path.insert(0, str(HERE))
    if arguments.resume:
        shutil.copytree(arguments.resume, arguments.out, dirs_exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(arguments.parts):
        left = arguments.seconds - (time.monotonic() - begin)
        budget = left / (len(arguments.parts) - number)
        print(f"{name}: {budget:.0f} seconds", flush=True)
        load_part(name).run(budget, arguments.out)
        check_limits(arguments.out)


if __name__ == "__main__":
    main()

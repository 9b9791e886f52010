"""Runs parts one after another within a time limit.

    python gpu/run.py captioner_lite2 --out OUT --seconds 540

A part is a file in `gpu/parts` with a function `run(budget_seconds, out)`. Work that is already in
`--out`, or in the output of an earlier call given as `--resume`, is not repeated.
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
MOST_FILES, MAX_BYTES = 8, 16 * 10**6


def list_parts():
    return sorted(path.stem for path in PARTS.glob("*.py"))


def load_part(name):
    """Imports the module of a part."""
    spec = importlib.util.spec_from_file_location(f"part_{name}", PARTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_limits(out):
    """Prints a warning if the output is too large to be copied back."""
    files = [path for path in out.rglob("*") if path.is_file()]
    large = [path.name for path in files if path.stat().st_size > MAX_BYTES]
    if len(files) > MOST_FILES or large:
        print(
            f"WARNING: the output has {len(files)} files, and {large} are larger than "
            f"{MAX_BYTES:,} bytes: not all may come back.",
            flush=True,
        )


def main():
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=list_parts(), metavar="PART")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the output")
    parser.add_argument("--resume", type=pathlib.Path, help="output of an earlier call")
    parser.add_argument("--seconds", type=float, default=525, help="time for all parts together")
    parser.add_argument("--tiny", action="store_true", help="run at the smallest size, as a trial")
    parser.add_argument("--steps", type=int, help="train for this many steps instead of seconds")
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

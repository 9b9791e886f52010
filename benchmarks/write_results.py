"""Writes the results of a benchmark."""

import json
import os
import pathlib


def write_results(path, results):
    """Writes a dict as JSON, atomically.

    Args:
        path: string or path.
        results: dict.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)

"""Writes the results of a benchmark."""

import pathlib

from keras_mmfusion.files.atomic_files import write_json


def write_results(path, results):
    """Writes a dict as JSON, atomically.

    Args:
        path: string or path.
        results: dict.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(results, path)

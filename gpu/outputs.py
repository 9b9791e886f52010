"""Output files of a part: a JSON file and pieces of weights that are small enough to copy back."""

import contextlib
import hashlib
import io
import json
import os
import pathlib

import numpy as np

PIECE_BYTES = 15 * 2**20
# The maximum total size of the files that can be copied back.
OUTPUT_BYTES = 60 * 10**6


def write_output(out, name, record, arrays=None):
    """Writes `<name>.json` and the pieces of its arrays, and replaces earlier output.

    The JSON file lists the pieces. It is written atomically after them, and older pieces are
    deleted last, so the folder has a complete output whenever a run is killed.

    Args:
        out: string or path. The folder.
        name: string.
        record: dict that can be stored as JSON.
        arrays: dict of name -> array, or `None`. Floats are stored as float16.
    """
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pieces = {} if arrays is None else _split_arrays(name, arrays)
    for file, content in pieces.items():
        _write(out / file, content)
    record = {**record, "pieces": list(pieces)}
    _write(out / f"{name}.json", (json.dumps(record, indent=1) + "\n").encode())
    for path in out.glob(f"{name}.*.npz-*"):
        if path.name not in pieces:
            path.unlink()


def read_output(out, name):
    """Reads the record and the arrays that `write_output` wrote, or returns `None`.

    Raises:
        ValueError: if a piece is missing or damaged.
    """
    out = pathlib.Path(out)
    path = out / f"{name}.json"
    if not path.is_file():
        return None
    record = json.loads(path.read_text("utf-8"))
    pieces = record.pop("pieces")
    if not pieces:
        return record, {}
    missing = [file for file in pieces if not (out / file).is_file()]
    if missing:
        raise ValueError(
            f"{path} lists {missing[0]}, which is missing. Copy it to the same folder."
        )
    content = b"".join((out / file).read_bytes() for file in pieces)
    if f".{_digest(content)}." not in pieces[0]:
        raise ValueError(f"The pieces of {path} are damaged: their checksum differs.")
    with np.load(io.BytesIO(content)) as arrays:
        return record, dict(arrays)


def to_float16_arrays(variables):
    """Returns the values of variables as float16, by index.

    Raises:
        ValueError: if a value is not finite in float16.
    """
    import keras

    arrays = {}
    for number, variable in enumerate(variables):
        values = keras.ops.convert_to_numpy(variable).astype("float32")
        with np.errstate(over="ignore"):
            arrays[str(number)] = values.astype("float16")
        if not np.isfinite(arrays[str(number)]).all():
            raise ValueError(f"{variable.path} has values that are not finite in float16.")
    return arrays


def assign_arrays(variables, arrays):
    """Assigns the values that `to_float16_arrays` returned to variables."""
    if len(variables) != len(arrays):
        raise ValueError(f"Received {len(arrays)} arrays for {len(variables)} variables.")
    for number, variable in enumerate(variables):
        variable.assign(arrays[str(number)].astype("float32"))


def add_prefix(prefix, arrays):
    """Adds `prefix` to the names of arrays."""
    return {f"{prefix}{name}": values for name, values in arrays.items()}


def remove_prefix(prefix, arrays):
    """Selects the arrays whose names start with `prefix`, and removes it."""
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def _split_arrays(name, arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    count = -(-len(content) // PIECE_BYTES)
    size = -(-len(content) // count)
    digest = _digest(content)
    return {
        f"{name}.{digest}.npz-{number}": content[number * size : (number + 1) * size]
        for number in range(count)
    }


def _digest(content):
    return hashlib.sha256(content).hexdigest()[:12]


def _write(path, content):
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            scratch.unlink()

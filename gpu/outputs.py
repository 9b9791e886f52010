"""What a part leaves: a JSON file and pieces of weights, each small enough to be sent back."""

import contextlib
import hashlib
import io
import json
import os
import pathlib

import numpy as np

PIECE_BYTES = 15 * 2**20
# What a machine sends back at most, all files together.
OUTPUT_BYTES = 60 * 10**6


def write_output(out, name, record, arrays=None):
    """Writes `<name>.json` and the pieces of its arrays; what was there before is replaced.

    The JSON file is what counts: it names the pieces, is written after them in one move, and only
    then the older pieces are deleted. So whatever moment a run is killed at, the folder holds a
    whole output.

    Args:
        out: string or path. The folder.
        name: string.
        record: dict that JSON can hold.
        arrays: dict, name -> array; floats are stored as float16. `None` for an output without.
    """
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pieces = {} if arrays is None else _pieces(name, arrays)
    for file, content in pieces.items():
        _write(out / file, content)
    record = {**record, "pieces": list(pieces)}
    _write(out / f"{name}.json", (json.dumps(record, indent=1) + "\n").encode())
    for path in out.glob(f"{name}.*.npz-*"):
        if path.name not in pieces:
            path.unlink()


def read_output(out, name):
    """The record and the arrays that `write_output` wrote; `None` if there are none.

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
        raise ValueError(f"{path} names {missing[0]}, which is not beside it: copy it there too.")
    content = b"".join((out / file).read_bytes() for file in pieces)
    if f".{_digest(content)}." not in pieces[0]:
        raise ValueError(f"The pieces of {path} are damaged: their content is not what it was.")
    with np.load(io.BytesIO(content)) as arrays:
        return record, dict(arrays)


def float16_arrays(variables):
    """The values of variables, by their number, as float16.

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
            raise ValueError(f"{variable.path} has values that float16 does not hold.")
    return arrays


def assign_arrays(variables, arrays):
    """Gives variables the values that `float16_arrays` took."""
    if len(variables) != len(arrays):
        raise ValueError(f"Received {len(arrays)} arrays for {len(variables)} variables.")
    for number, variable in enumerate(variables):
        variable.assign(arrays[str(number)].astype("float32"))


def with_prefix(prefix, arrays):
    """The arrays under names that begin with `prefix`."""
    return {f"{prefix}{name}": values for name, values in arrays.items()}


def without_prefix(prefix, arrays):
    """Those whose names begin with `prefix`, under the rest of their names."""
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def _pieces(name, arrays):
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

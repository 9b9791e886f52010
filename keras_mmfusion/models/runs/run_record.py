"""Records of the data, settings and code that results were computed from."""

import hashlib
import json
import os
import pathlib

from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.runs.code_digest import compute_code_digest

RECORD = "fingerprint.json"


def describe_code(*tasks):
    """Returns the version and a digest of the code as a dict with one entry.

    Args:
        *tasks: see `compute_code_digest`.
    """
    from keras_mmfusion import __version__

    return {"keras_mmfusion": f"{__version__} (sha256 {compute_code_digest(*tasks)[:12]})"}


def read_record(folder):
    """Reads the record of a folder.

    Returns:
        A dict with `"metadata"` and other written values; empty if there is no record.
    """
    path = pathlib.Path(folder) / RECORD
    return read_json(path) if path.is_file() else {}


def write_record(folder, metadata, **others):
    """Writes the record of a folder atomically.

    Args:
        folder: path.
        metadata: dict of JSON values: everything that the results depend on.
        **others: JSON values for later runs that the results do not depend on.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json({"metadata": metadata, **others}, folder / RECORD)


def check_record(folder, metadata, choices, what="results"):
    """Raises an error if the results in a folder were computed from other inputs.

    Args:
        folder: path of a folder with results.
        metadata: dict of JSON values: the current inputs. Other entries of the record are not
            compared.
        choices: string. The user's options, in full sentences.
        what: string. Contents of the folder, for the message.

    Raises:
        ValueError: if there is no record, or it differs; the message lists the differences and
            the user's options.
    """
    record = read_record(folder)
    contents = f"{os.fspath(folder)!r} contains {what}"
    if "metadata" not in record:
        raise ValueError(
            f"{contents} without a {RECORD} that records the inputs, so it is unknown whether they "
            f"match the current data and settings. {choices}"
        )
    changes = list_changes(record["metadata"], metadata)
    if changes:
        raise ValueError(f"{contents} of other inputs: {'; '.join(changes)}. {choices}")


def list_changes(old, new):
    """Lists the entries of `new` that differ from `old`.

    Example:

    >>> list_changes({"seed": 0, "views": 3}, {"seed": 1, "views": 3})
    ['seed: 0 -> 1']
    """
    return [
        f"{name}: {_format(old.get(name))} -> {_format(value)}"
        for name, value in json.loads(json.dumps(new)).items()
        if old.get(name) != value
    ]


def _format(value):
    return value if isinstance(value, str) else json.dumps(value)


def compute_digest(value):
    """Computes a short digest of a JSON value.

    Example:

    >>> compute_digest(["a dog"])
    'sha256 46b109818470'
    """
    return format_digest(hashlib.sha256(json.dumps(value).encode()))


def format_digest(digest):
    """Formats a `hashlib` digest as a short string with the name of the algorithm."""
    return f"sha256 {digest.hexdigest()[:12]}"


def compute_folder_digest(folder):
    """Computes a digest of the names and contents of a folder's files; `None` without a folder."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    return format_digest(digest)

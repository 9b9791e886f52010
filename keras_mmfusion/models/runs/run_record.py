"""What a folder of results was made from: data, settings and code, written beside the results."""

import hashlib
import json
import os
import pathlib

from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.runs.code_digest import code_digest

RECORD = "fingerprint.json"


def code_facts(*tasks):
    """The version of the code and a digest of it, as a dict of one fact.

    Args:
        *tasks: as for `code_digest`.
    """
    from keras_mmfusion import __version__

    return {"keras_mmfusion": f"{__version__} (sha256 {code_digest(*tasks)[:12]})"}


def read_record(folder):
    """Reads the record of a folder.

    Returns:
        A dict: `"facts"`, and what else was written; empty if there is no record.
    """
    path = pathlib.Path(folder) / RECORD
    return read_json(path) if path.is_file() else {}


def write_record(folder, facts, **others):
    """Writes the record of a folder, whole or not at all.

    Args:
        folder: path.
        facts: dict of JSON values: everything that decides the results.
        **others: JSON values that the next run may use but that decide nothing.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{os.getpid()}.{RECORD}"
    text = json.dumps({"facts": facts, **others}, indent=2, ensure_ascii=False)
    scratch.write_text(text + "\n", "utf-8")
    os.replace(scratch, folder / RECORD)


def check_record(folder, facts, choices, what="results"):
    """Raises an error if the results in a folder were made from something else.

    Args:
        folder: path of a folder that has results.
        facts: dict of JSON values: what the results would be made from now. Facts that the record
            has beside these are not compared.
        choices: string. What the user can do, in full sentences.
        what: string. What the folder holds, for the message.

    Raises:
        ValueError: if there is no record, or it differs; the message names each difference, old
            and new, and the choices.
    """
    record = read_record(folder)
    place = f"{os.fspath(folder)!r} holds {what}"
    if "facts" not in record:
        raise ValueError(
            f"{place} of an older version, without {RECORD}, which says what they were made from: "
            f"they cannot be told from those of other data or settings. {choices}"
        )
    changes = changed_facts(record["facts"], facts)
    if changes:
        raise ValueError(f"{place} made from something else: {'; '.join(changes)}. {choices}")


def changed_facts(old, new):
    """What differs between two dicts of facts, among the names in `new`.

    Example:

    >>> changed_facts({"seed": 0, "views": 3}, {"seed": 1, "views": 3})
    ['seed: 0 -> 1']
    """
    return [
        f"{name}: {_shown(old.get(name))} -> {_shown(value)}"
        for name, value in json.loads(json.dumps(new)).items()
        if old.get(name) != value
    ]


def _shown(value):
    return value if isinstance(value, str) else json.dumps(value)


def digest_of(value):
    """A short digest of a JSON value, for facts.

    Example:

    >>> digest_of(["a dog"])
    'sha256 46b109818470'
    """
    return shown_digest(hashlib.sha256(json.dumps(value).encode()))


def shown_digest(digest):
    """A `hashlib` digest as facts show it: short, and named."""
    return f"sha256 {digest.hexdigest()[:12]}"


def folder_digest(folder):
    """A digest of the names and contents of a folder's files, or `None` without the folder."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    return shown_digest(digest)

"""The file of `--json`: checked before the work, and written whole or not at all."""

import json
import os


def check_json_file(path):
    """Raises an error if results could not be written to a file; `None` stands for no file.

    Raises:
        ValueError: that says what is wrong with `--json`.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"`--json` must be a file to write, but {path} is a folder.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"`--json` must lie in a folder that is there. Received: {path}")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"`--json` must lie in a folder that can be written. Received: {path}")


def write_json(value, path):
    """Writes a JSON value to a file."""
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

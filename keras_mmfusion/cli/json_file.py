"""Checks of the file of `--json` before the work."""

import os


def check_json_file(path):
    """Raises an error if results cannot be written to a file.

    Args:
        path: path, or `None` for no file.

    Raises:
        ValueError: if the path is a folder, or its folder does not exist or is read-only.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"`--json` must be a file to write, but {path} is a folder.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"`--json` must be in an existing folder. Received: {path}")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"`--json` must be in a writable folder. Received: {path}")

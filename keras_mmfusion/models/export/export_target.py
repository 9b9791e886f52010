"""Checks of the target folder of an export, without importing Keras."""

import pathlib


def check_export_target(folder):
    """Raises an error if model versions cannot be written to a folder.

    Args:
        folder: string or path.

    Raises:
        ValueError: if it is a file.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`folder` must be a folder or must not exist. Received: {folder}")

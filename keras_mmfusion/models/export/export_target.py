"""Where a model may be exported for serving, checked without Keras."""

import pathlib


def check_export_target(folder):
    """Raises an error if versions of a model cannot go into a folder.

    Args:
        folder: string or path.

    Raises:
        ValueError: if it is a file.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`folder` must be a folder, or not be there yet. Received: {folder}")

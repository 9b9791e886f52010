"""Checks of the target folder of a preset."""

import os
import pathlib

# Files that identify a preset folder: of a task, or of a KerasHub backbone.
_CONFIGS = ("task.json", "config.json")


def check_preset_target(preset_dir):
    """Raises an error if writing a preset to a folder would destroy other files.

    Args:
        preset_dir: string or path. A new or empty folder, or a preset to replace.

    Raises:
        ValueError: if it is a file, or a folder with other contents.
    """
    target = pathlib.Path(preset_dir)
    if not target.exists():
        return
    is_preset = any((target / name).is_file() for name in _CONFIGS)
    if not target.is_dir() or not (is_preset or next(target.iterdir(), None) is None):
        raise ValueError(
            "A preset replaces the contents of its folder, so the folder must be new, empty, or "
            f"another preset. Received: {os.fspath(preset_dir)!r}"
        )

"""Where a preset may be written."""

import os
import pathlib

# A file of these makes a folder a preset: ours, or KerasHub's of a backbone.
_CONFIGS = ("task.json", "config.json")


def check_preset_target(preset_dir):
    """Raises an error if writing a preset to a folder would destroy something else.

    Args:
        preset_dir: string or path. A preset there is replaced, an empty folder filled.

    Raises:
        ValueError: if it is a file, or a folder of something else.
    """
    target = pathlib.Path(preset_dir)
    if not target.exists():
        return
    is_preset = any((target / name).is_file() for name in _CONFIGS)
    if not target.is_dir() or not (is_preset or next(target.iterdir(), None) is None):
        raise ValueError(
            "The folder of a preset must be new, empty, or a preset to replace, as all that is in "
            f"it goes. Received: {os.fspath(preset_dir)!r}"
        )

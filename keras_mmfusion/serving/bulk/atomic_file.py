"""Writes files atomically in any Beam file system."""

import contextlib
import uuid

from keras_mmfusion.serving.bulk.beam_files import list_names, remove_files

PARTIAL = ".part-"


@contextlib.contextmanager
def open_atomic(path):
    """Opens a binary file for writing; it is renamed to `path` when it is complete.

    Args:
        path: string, a path in a Beam file system. An existing file is replaced.
    """
    from apache_beam.io.filesystems import FileSystems

    folder, name = FileSystems.split(path)
    partial = FileSystems.join(folder, f"{PARTIAL}{uuid.uuid4().hex}-{name}")
    with FileSystems.create(partial) as file:
        yield file
    FileSystems.rename([partial], [path])


def remove_partial_files(folder):
    """Removes incomplete files of workers that were interrupted."""
    from apache_beam.io.filesystems import FileSystems

    remove_files(FileSystems.join(folder, name) for name in list_names(folder, PARTIAL))

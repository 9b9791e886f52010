"""Files of any of Beam's file systems that are there whole or not at all."""

import contextlib
import uuid

from keras_mmfusion.serving.bulk.stored_files import names_in, remove_files

PART = ".part-"


@contextlib.contextmanager
def written_whole(path):
    """A binary file to write, which takes its name, in one step, when all is written.

    Args:
        path: string, for Beam's file systems. A file of that name is replaced.
    """
    from apache_beam.io.filesystems import FileSystems

    folder, name = FileSystems.split(path)
    part = FileSystems.join(folder, f"{PART}{uuid.uuid4().hex}-{name}")
    with FileSystems.create(part) as file:
        yield file
    FileSystems.rename([part], [path])


def remove_parts(folder):
    """Removes what was being written when a worker was killed."""
    from apache_beam.io.filesystems import FileSystems

    remove_files(FileSystems.join(folder, name) for name in names_in(folder, PART))

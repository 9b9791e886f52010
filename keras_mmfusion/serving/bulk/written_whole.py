"""Files of any of Beam's file systems that are there whole or not at all."""

import contextlib
import uuid

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

    pattern = FileSystems.join(folder, f"{PART}*")
    parts = [match.path for match in FileSystems.match([pattern])[0].metadata_list]
    if parts:
        FileSystems.delete(parts)

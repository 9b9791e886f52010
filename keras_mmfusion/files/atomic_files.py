"""Atomic writing: a file or folder appears complete, or stays as it was."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def replace_file(path):
    """Gives a temporary path to write to, which then replaces `path`.

    If the block raises, the temporary file is removed and `path` stays as it was.

    Args:
        path: string or path of the file. Its folder must exist.

    Yields:
        A path in the same folder with the same suffix. The file exists and is empty; it has the
        permissions of a new file, or those of the file that it replaces.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scores.txt"
    >>> with replace_file(path) as scratch:
    ...     _ = scratch.write_text("0.5")
    >>> path.read_text()
    '0.5'
    """
    path = pathlib.Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".{path.name}")
    os.close(handle)
    scratch = pathlib.Path(name)
    try:
        os.chmod(scratch, _mode(path))
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path):
    """Gives a temporary folder to write to, which then replaces `path`.

    If the block raises, the temporary folder is removed and `path` stays as it was.

    Args:
        path: string or path of the folder. Parents that do not exist are created.

    Yields:
        The path of an empty folder beside it.
    """
    path = pathlib.Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    new, old = scratch / "new", scratch / "old"
    try:
        new.mkdir()
        yield new
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_json(value, path):
    """Writes a value as an indented JSON file, atomically.

    Args:
        value: what `json.dumps` accepts.
        path: string or path.
    """
    with replace_file(path) as scratch:
        scratch.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _mode(path):
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

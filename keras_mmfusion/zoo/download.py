"""Downloads: a preset's files go from a mirror to the cache, whole and checked, or not at all."""

import contextlib
import os
import pathlib
import time

from keras_mmfusion.zoo.manifest import compute_sha256
from keras_mmfusion.zoo.mirror import MIRROR_VARIABLE, MirrorError

# Attempts in a row that bring nothing new; the pause before each next one doubles.
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5
PIECE_BYTES = 1 << 16


class DownloadError(OSError):
    """A preset could not be fetched; the message names it, the address and the way out."""


def cache_folder(preset):
    """Returns the folder of the cache that belongs to these very files of a preset.

    Args:
        preset: a `Preset`.

    Returns:
        A path, `<cache_root()>/<name>/<start of the fingerprint>`.
    """
    return cache_root() / preset.name / preset.fingerprint[:16]


def cache_root():
    """Returns the folder of all that the package keeps for a user.

    It is `$KERAS_HOME/keras_mmfusion`, where `KERAS_HOME` is `~/.keras` unless the environment
    says otherwise.
    """
    home = pathlib.Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    return home / "keras_mmfusion"


def missing_files(preset, folder):
    """Lists the files of a preset that a folder lacks or holds damaged.

    Args:
        preset: a `Preset`.
        folder: path.

    Returns:
        A list of `PresetFile`; empty if the folder holds the whole preset.
    """
    return [file for file in preset.files if not _is_whole(pathlib.Path(folder, file.path), file)]


def describe_damage(preset, folder):
    """Says what is wrong with a folder that holds some of a preset's files, but not all whole.

    Args:
        preset: a `Preset`.
        folder: path.

    Returns:
        A string that names each damaged file with its expected and actual size and SHA-256, or
        the files that the folder lacks; `None` where the folder has none of the preset's files.
    """
    missing = missing_files(preset, folder)
    there = [file for file in missing if pathlib.Path(folder, file.path).is_file()]
    if there:
        damaged = "; ".join(_describe_file(pathlib.Path(folder, file.path), file) for file in there)
        return f"damaged in {folder}: {damaged}"
    if len(missing) < len(preset.files):
        return f"incomplete in {folder}, which lacks {', '.join(file.path for file in missing)}"
    return None


def _describe_file(path, file):
    return (
        f"{file.path} should have {file.size:,} bytes with the SHA-256 {file.sha256}, but has "
        f"{_size(path):,} bytes with {compute_sha256(path)}"
    )


def fetch_preset(preset, mirror):
    """Brings a preset into the cache.

    Args:
        preset: a `Preset`.
        mirror: a mirror, see `keras_mmfusion.zoo.mirror`.

    Returns:
        The path of the cache folder that holds the preset.

    Raises:
        DownloadError: if the mirror does not give a file as the manifest lists it, or if the cache
            cannot be written. What came so far is kept beside, for the next call to resume.
    """
    folder = cache_folder(preset)
    if not missing_files(preset, folder):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder, preset):
            # Asked again: another process may have fetched them while this one waited.
            files = missing_files(preset, folder)
            with _progress(preset, sum(file.size for file in files)) as report:
                before = 0
                for file in files:
                    _fetch_file(preset, file, folder, mirror, lambda at, b=before: report(b + at))
                    before += file.size
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"Cannot write preset {preset.name!r} to the cache {folder}: "
            f"{error.strerror or error}. Make room there, or set KERAS_HOME to a folder that can "
            "be written."
        ) from error
    return folder


def _fetch_file(preset, file, folder, mirror, report):
    path = f"{preset.name}/{file.path}"
    part = folder / f"{file.path}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    if _size(part) > file.size:
        part.unlink()
    furthest, failures, restarted = _size(part), 0, False
    while True:
        resumed = _size(part) > 0
        try:
            _receive(mirror, path, part, file.size, report)
        except MirrorError as error:
            # A line that breaks often but brings more each time may go on.
            failures = 1 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if not error.temporary or failures >= ATTEMPTS:
                raise _failure(preset, mirror.address(path), error, resumable=furthest) from error
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (failures - 1))
            continue
        if compute_sha256(part) == file.sha256:
            break
        part.unlink()
        # What lay there before may have been to blame: once, all of it again.
        if restarted or not resumed:
            raise _failure(
                preset,
                mirror.address(path),
                f"has another SHA-256 than the {file.sha256} that the manifest lists",
            )
        restarted, furthest = True, 0
    with open(part, "rb+") as whole:
        os.fsync(whole.fileno())
    os.replace(part, folder / file.path)


def _receive(mirror, path, part, size, report):
    """Appends to `part` what it lacks of a file of `size` bytes."""
    position = _size(part)
    if position == size and part.exists():
        return
    with mirror.open(path, position) as source, open(part, "ab") as output:
        if source.size not in (None, size):
            raise MirrorError(
                f"is {source.size:,} bytes long, not the {size:,} that the manifest lists",
                temporary=False,
            )
        output.truncate(source.start)
        position = source.start
        while piece := source.read(PIECE_BYTES):
            position += len(piece)
            if position > size:
                raise MirrorError(
                    f"goes on after the {size:,} bytes that the manifest lists", temporary=False
                )
            output.write(piece)
            report(position)
    if position < size:
        raise MirrorError(f"ended after {position:,} of {size:,} bytes", temporary=True)


def _failure(preset, address, reason, resumable=0):
    kept = " What came so far is kept: the next try goes on from there." if resumable else ""
    return DownloadError(
        f"Cannot fetch preset {preset.name!r}: {address}: {reason}. Check the network and that "
        f"this mirror carries the preset as this version of the package lists it, or set "
        f"{MIRROR_VARIABLE} to an address or a folder that does.{kept}"
    )


@contextlib.contextmanager
def _lock(folder, preset):
    """Keeps a second process from fetching the same preset; it waits, and then finds it done."""
    import filelock

    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        _console().print(f"Another process is fetching {preset.name}: waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _progress(preset, total):
    """Draws a progress bar on a terminal or in a notebook; gives a function of the bytes so far."""
    from rich import progress

    console = _console()
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal or console.is_jupyter),
    )
    with bar:
        task = bar.add_task(preset.name, total=total)
        yield lambda position: bar.update(task, completed=position)


def _console():
    from rich import console

    return console.Console(stderr=True)


def _is_whole(path, file):
    return _size(path) == file.size and path.is_file() and compute_sha256(path) == file.sha256


def _size(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0

"""Downloads the files of presets from a mirror to the cache, and verifies them."""

import contextlib
import os
import pathlib
import time

from keras_mmfusion._progress import inform, progress_bars
from keras_mmfusion.zoo.manifest import compute_sha256
from keras_mmfusion.zoo.mirror import MIRROR_VARIABLE, MirrorError

# Consecutive attempts without progress; the pause between them doubles.
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5
CHUNK_BYTES = 1 << 16


class DownloadError(OSError):
    """A preset could not be fetched; the message names it, the address and what to do."""


def get_cache_folder(preset):
    """Returns the cache folder of a preset; presets with other files have another one.

    Args:
        preset: a `Preset`.

    Returns:
        A path, `<get_cache_root()>/<name>/<start of the fingerprint>`.
    """
    return get_cache_root() / preset.name / preset.fingerprint[:16]


def get_cache_root():
    """Returns the cache folder of the package: `$KERAS_HOME/keras_mmfusion`.

    `KERAS_HOME` is an environment variable and defaults to `~/.keras`.
    """
    home = pathlib.Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    return home / "keras_mmfusion"


def find_missing_files(preset, folder):
    """Lists the files of a preset that are missing or damaged in a folder.

    Args:
        preset: a `Preset`.
        folder: path.

    Returns:
        A list of `PresetFile`; empty if the folder has the whole preset.
    """
    return [file for file in preset.files if not _is_valid(pathlib.Path(folder, file.path), file)]


def describe_damage(preset, folder):
    """Describes damaged or missing files in a folder that has some files of a preset.

    Args:
        preset: a `Preset`.
        folder: path.

    Returns:
        A string with the expected and actual size and SHA-256 of each damaged file, or with the
        missing files; `None` if the folder has no files of the preset.
    """
    missing = find_missing_files(preset, folder)
    present = [file for file in missing if pathlib.Path(folder, file.path).is_file()]
    if present:
        damaged = "; ".join(
            _describe_file(pathlib.Path(folder, file.path), file) for file in present
        )
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
    """Downloads a preset to the cache.

    Args:
        preset: a `Preset`.
        mirror: a mirror, see `keras_mmfusion.zoo.mirror`.

    Returns:
        The path of the cache folder with the preset.

    Raises:
        DownloadError: if the mirror does not have a file as listed in the manifest, or if the cache
            cannot be written. Partial downloads are kept, and the next call resumes them.
    """
    folder = get_cache_folder(preset)
    if not find_missing_files(preset, folder):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder, preset):
            # Another process may have fetched files while this one waited.
            files = find_missing_files(preset, folder)
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
            f"{error.strerror or error}. Free some space, or set KERAS_HOME to a "
            "writable folder."
        ) from error
    return folder


def _fetch_file(preset, file, folder, mirror, report):
    path = f"{preset.name}/{file.path}"
    part = folder / f"{file.path}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    if _size(part) > file.size:
        part.unlink()
    progress_bytes, failures, restarted = _size(part), 0, False
    while True:
        resumed = _size(part) > 0
        try:
            _receive(mirror, path, part, file.size, report)
        except MirrorError as error:
            # Count only consecutive failures without progress.
            failures = 1 if _size(part) > progress_bytes else failures + 1
            progress_bytes = max(progress_bytes, _size(part))
            if not error.temporary or failures >= ATTEMPTS:
                raise _failure(preset, mirror.address(path), error, progress_bytes) from error
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (failures - 1))
            continue
        if compute_sha256(part) == file.sha256:
            break
        part.unlink()
        # The resumed part may have been damaged: download the whole file once more.
        if restarted or not resumed:
            raise _failure(
                preset,
                mirror.address(path),
                f"has another SHA-256 than {file.sha256}, which the manifest lists",
            )
        restarted, progress_bytes = True, 0
    with open(part, "rb+") as whole:
        os.fsync(whole.fileno())
    os.replace(part, folder / file.path)


def _receive(mirror, path, part, size, report):
    """Appends the missing bytes of a file of `size` bytes to `part`."""
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
        while chunk := source.read(CHUNK_BYTES):
            position += len(chunk)
            if position > size:
                raise MirrorError(
                    f"is longer than the {size:,} bytes that the manifest lists", temporary=False
                )
            output.write(chunk)
            report(position)
    if position < size:
        raise MirrorError(f"ended after {position:,} of {size:,} bytes", temporary=True)


def _failure(preset, address, reason, received=0):
    kept = " The partial download is kept; the next try resumes it." if received else ""
    return DownloadError(
        f"Cannot fetch preset {preset.name!r}: {address}: {reason}. Check the network and that "
        f"the mirror has the preset in the version of this package, or set {MIRROR_VARIABLE} to "
        f"another address or folder.{kept}"
    )


@contextlib.contextmanager
def _lock(folder, preset):
    """Locks a preset, so that a second process waits instead of fetching it, too."""
    import filelock

    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        inform(f"Another process is fetching {preset.name}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _progress(preset, total):
    """Shows a progress bar in a terminal or notebook; yields a function of the received bytes."""
    from rich import progress

    bar = progress_bars(progress.DownloadColumn(), progress.TransferSpeedColumn())
    with bar:
        task = bar.add_task(preset.name, total=total)
        yield lambda position: bar.update(task, completed=position)


def _is_valid(path, file):
    return _size(path) == file.size and path.is_file() and compute_sha256(path) == file.sha256


def _size(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0

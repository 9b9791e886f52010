"""Mirrors: where preset files that the package does not carry come from.

A mirror holds each file at `<mirror>/<preset>/<file>`. It is an address (http, https, file) or a
folder; a source checkout's own `zoo/` folder is one.
"""

import contextlib
import http.client
import os
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

MIRROR_VARIABLE = "KERAS_MMFUSION_MIRROR"
# For one answer or one piece of data, not for a whole file.
TIMEOUT_SECONDS = 30.0
ANSWER_SECONDS = 5.0  # For whether there is a file, which a listing asks.
# Identity: a compressed body would have other offsets than the file.
_HEADERS = {"User-Agent": "keras_mmfusion", "Accept-Encoding": "identity"}

_TEMPORARY_STATUS = {408, 425, 429, 500, 502, 503, 504}


class MirrorError(OSError):
    """A mirror did not give a file.

    Args:
        message: string. What happened, without the address.
        temporary: bool. Whether asking again may help.
    """

    def __init__(self, message, temporary):
        super().__init__(message)
        self.temporary = temporary


class Source(NamedTuple):
    """An open file of a mirror.

    `read(count)` gives up to `count` bytes, nothing at the end; `start` is the offset of the first
    one, which is 0 where a mirror cannot begin in the middle; `size` is that of the whole file,
    `None` where the mirror does not say.
    """

    read: Any
    start: int
    size: int | None


class FolderMirror:
    """A folder with one folder for each preset."""

    def __init__(self, folder, kind="mirror"):
        self.folder = pathlib.Path(folder)
        self.kind = kind

    def address(self, path):
        return str(self.folder / path)

    @contextlib.contextmanager
    def open(self, path, start):
        """Opens a file at an offset; a context manager that gives a `Source`."""
        with self._file(path) as file:
            file.seek(start)
            yield Source(_reader(file.read), start, os.fstat(file.fileno()).st_size)

    def has(self, path, size):
        """Whether there is a file of this size."""
        file = self.folder / path
        return file.is_file() and file.stat().st_size == size

    def _file(self, path):
        try:
            return open(self.folder / path, "rb")
        except OSError as error:
            raise MirrorError(_reason(error), temporary=False) from error


class HttpMirror:
    """An address below which each preset has its own folder."""

    kind = "mirror"

    def __init__(self, address):
        self._address = address.rstrip("/")
        self._answers = True

    def address(self, path):
        return f"{self._address}/{urllib.parse.quote(path)}"

    @contextlib.contextmanager
    def open(self, path, start):
        """Opens a file at an offset; a context manager that gives a `Source`."""
        with self._request(path, start) as response:
            if response.status != 206:
                yield Source(_reader(response.read1), 0, response.length)
                return
            stated = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "")
            )
            if stated is None:
                raise MirrorError("answered 206 without saying which bytes", temporary=False)
            first, whole = stated.groups()
            size = None if whole == "*" else int(whole)
            yield Source(_reader(response.read1), int(first), size)

    def has(self, path, size):
        """Whether there is a file of this size; asked no more where the mirror did not answer."""
        if not self._answers:
            return False
        request = urllib.request.Request(self.address(path), headers=_HEADERS, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                stated = response.headers.get("Content-Length")
                return stated is None or int(stated) == size
        except urllib.error.HTTPError as error:
            error.close()
            return error.code in (405, 501)  # It has no HEAD: not known, and not denied.
        except (OSError, http.client.HTTPException, ValueError):
            self._answers = False
            return False

    def _request(self, path, start):
        headers = {**_HEADERS, **({"Range": f"bytes={start}-"} if start else {})}
        request = urllib.request.Request(self.address(path), headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:
                return self._request(path, 0)
            raise MirrorError(
                f"answered {error.code} {error.reason}", error.code in _TEMPORARY_STATUS
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise MirrorError(_reason(error), temporary=True) from error


def find_mirror():
    """Finds the mirror of this process.

    Returns:
        The mirror that the environment variable `KERAS_MMFUSION_MIRROR` names, else the `zoo/`
        folder of the source checkout that the package runs from, else `None`.

    Raises:
        ValueError: if the variable names a kind of address that is not supported.
    """
    value = os.environ.get(MIRROR_VARIABLE, "").strip()
    if value:
        return mirror_at(value)
    repository = pathlib.Path(__file__).resolve().parents[2]
    if (repository / "pyproject.toml").is_file() and (repository / "zoo").is_dir():
        return FolderMirror(repository / "zoo", kind="checkout")
    return None


def mirror_at(address):
    """Makes a mirror of an address.

    Args:
        address: string. `http://...`, `https://...`, `file://...` or a folder's path.

    Returns:
        A mirror: it has `address(path)`, `has(path, size)` and `open(path, start)`.

    Raises:
        ValueError: if the address is of another kind, or carries a user name or a password.

    Example:

    >>> mirror_at("https://example.org/zoo/").address("captioner/config.json")
    'https://example.org/zoo/captioner/config.json'
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return FolderMirror(pathlib.Path(os.path.expanduser(address)))
    parts = urllib.parse.urlsplit(address)
    if "@" in parts.netloc:
        # Said without the address: it would print the password.
        raise ValueError(
            f"{MIRROR_VARIABLE} carries a user name or a password, which is not supported. "
            "Copy the presets to a folder and name that folder instead."
        )
    if scheme.lower() == "file":
        return FolderMirror(urllib.request.url2pathname(parts.path))
    if scheme.lower() in ("http", "https") and parts.netloc:
        return HttpMirror(address)
    raise ValueError(
        f"{MIRROR_VARIABLE} must be an http://, https:// or file:// address or a folder. "
        f"Received: {address!r}"
    )


def _reader(read):
    """Wraps a stream's read so that what breaks it is a `MirrorError`, apart from disk errors."""

    def read_piece(count):
        try:
            return read(count)
        except (OSError, http.client.HTTPException) as error:
            raise MirrorError(_reason(error), temporary=True) from error

    return read_piece


def _reason(error):
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"sent nothing for {TIMEOUT_SECONDS:g} seconds"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__

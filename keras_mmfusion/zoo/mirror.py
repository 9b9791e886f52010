"""Mirrors: sources of the presets that are not part of the package.

A mirror has each file at `<mirror>/<preset>/<file>`. It is an address (http, https, file) or a
folder, such as the `zoo/` folder of a source checkout.
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
# Timeout of one response or chunk, not of a whole file.
TIMEOUT_SECONDS = 30.0
CHECK_SECONDS = 5.0  # Timeout of the check whether a file exists.
# A compressed body would have other offsets than the file.
_HEADERS = {"User-Agent": "keras_mmfusion", "Accept-Encoding": "identity"}

_TEMPORARY_STATUS = {408, 425, 429, 500, 502, 503, 504}


class MirrorError(OSError):
    """A mirror did not provide a file.

    Args:
        message: string. The problem, without the address.
        temporary: bool. Whether a retry may succeed.
    """

    def __init__(self, message, temporary):
        super().__init__(message)
        self.temporary = temporary


class Source(NamedTuple):
    """An open file of a mirror.

    `read(count)` returns up to `count` bytes, none at the end; `start` is the offset of the first
    byte, 0 if the mirror does not support ranges; `size` is the size of the whole file, or `None`
    if it is unknown.
    """

    read: Any
    start: int
    size: int | None


class FolderMirror:
    """A folder with a subfolder for each preset."""

    def __init__(self, folder, kind="mirror"):
        self.folder = pathlib.Path(folder)
        self.kind = kind

    def address(self, path):
        return str(self.folder / path)

    @contextlib.contextmanager
    def open(self, path, start):
        """Opens a file at an offset; a context manager that yields a `Source`."""
        with self._file(path) as file:
            file.seek(start)
            yield Source(_wrap_read(file.read), start, os.fstat(file.fileno()).st_size)

    def has(self, path, size):
        """Returns whether a file of this size exists."""
        file = self.folder / path
        return file.is_file() and file.stat().st_size == size

    def _file(self, path):
        try:
            return open(self.folder / path, "rb")
        except OSError as error:
            raise MirrorError(_describe_error(error), temporary=False) from error


class HttpMirror:
    """An address with a folder for each preset."""

    kind = "mirror"

    def __init__(self, address):
        self._address = address.rstrip("/")
        self._reachable = True

    def address(self, path):
        return f"{self._address}/{urllib.parse.quote(path)}"

    @contextlib.contextmanager
    def open(self, path, start):
        """Opens a file at an offset; a context manager that yields a `Source`."""
        with self._request(path, start) as response:
            if response.status != 206:
                yield Source(_wrap_read(response.read1), 0, response.length)
                return
            stated = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "")
            )
            if stated is None:
                raise MirrorError("answered 206 without a range of bytes", temporary=False)
            first, whole = stated.groups()
            size = None if whole == "*" else int(whole)
            yield Source(_wrap_read(response.read1), int(first), size)

    def has(self, path, size):
        """Returns whether a file of this size exists; `False` after a failed connection."""
        if not self._reachable:
            return False
        request = urllib.request.Request(self.address(path), headers=_HEADERS, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=CHECK_SECONDS) as response:
                stated = response.headers.get("Content-Length")
                return stated is None or int(stated) == size
        except urllib.error.HTTPError as error:
            error.close()
            return error.code in (405, 501)  # The server does not support HEAD: assume yes.
        except (OSError, http.client.HTTPException, ValueError):
            self._reachable = False
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
            raise MirrorError(_describe_error(error), temporary=True) from error


def find_mirror():
    """Finds the source of presets that are not part of the package.

    Returns:
        The mirror in the environment variable `KERAS_MMFUSION_MIRROR`; otherwise the `zoo/` folder
        of the source checkout that the package runs from, as in an editable install; otherwise
        `None`.

    Raises:
        ValueError: if the variable has an unsupported address.
    """
    value = os.environ.get(MIRROR_VARIABLE, "").strip()
    if value:
        return create_mirror(value)
    repository = pathlib.Path(__file__).resolve().parents[2]
    if (repository / "pyproject.toml").is_file() and (repository / "zoo").is_dir():
        return FolderMirror(repository / "zoo", kind="checkout")
    return None


def create_mirror(address):
    """Creates a mirror from an address.

    Args:
        address: string. `http://...`, `https://...`, `file://...` or a folder's path.

    Returns:
        A mirror: it has `address(path)`, `has(path, size)` and `open(path, start)`.

    Raises:
        ValueError: if the address is not supported, or has a user name or a password.

    Example:

    >>> create_mirror("https://example.org/zoo/").address("captioner/config.json")
    'https://example.org/zoo/captioner/config.json'
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return FolderMirror(pathlib.Path(os.path.expanduser(address)))
    parts = urllib.parse.urlsplit(address)
    if "@" in parts.netloc:
        # The message omits the address, which has the password.
        raise ValueError(
            f"{MIRROR_VARIABLE} has a user name or a password, which is not supported. "
            "Copy the presets to a folder and set it to that folder."
        )
    if scheme.lower() == "file":
        return FolderMirror(urllib.request.url2pathname(parts.path))
    if scheme.lower() in ("http", "https") and parts.netloc:
        return HttpMirror(address)
    raise ValueError(
        f"{MIRROR_VARIABLE} must be an http://, https:// or file:// address or a folder. "
        f"Received: {address!r}"
    )


def _wrap_read(read):
    """Wraps the read of a stream: its errors become `MirrorError`, unlike errors of the disk."""

    def read_chunk(count):
        try:
            return read(count)
        except (OSError, http.client.HTTPException) as error:
            raise MirrorError(_describe_error(error), temporary=True) from error

    return read_chunk


def _describe_error(error):
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"sent nothing for {TIMEOUT_SECONDS:g} seconds"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__

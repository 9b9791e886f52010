"""Reads text files line by line with strict decoding."""

import codecs
import os
import re

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose mark is a prefix of this one.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# The first bytes of files that are not text.
_OTHER_KINDS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file: save it as CSV UTF-8",
    b"\x1f\x8b": "a gzip archive: unpack it",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file: save it as CSV",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"<!doctype html": "a web page, possibly the error page of a download: download it again",
    b"<html": "a web page, possibly the error page of a download: download it again",
}


def read_lines(path):
    """Reads a text file line by line.

    Files must be UTF-8, or UTF-16 or UTF-32 with a byte order mark. Lines end with LF, CRLF or CR.

    Args:
        path: string or path.

    Yields:
        Tuples of the line number, starting at 1, and the line without line end and byte order
        marks.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not text, or has another encoding; the message contains the line.
    """
    path = os.fspath(path)
    encoding = _detect_encoding(path)
    try:
        with open(path, encoding=encoding) as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise ValueError(
                        f"{path!r}, line {number} contains a NUL character. The file is damaged, "
                        "binary, or UTF-16 without a byte order mark; save it as UTF-8."
                    )
                # Concatenated files have byte order marks in the middle, too.
                yield number, line.removesuffix("\n").lstrip("\ufeff")
    except UnicodeError:
        raise ValueError(_format_decoding_error(path, encoding)) from None


def read_text(path):
    """Reads a text file; see `read_lines`. Lines are separated by LF."""
    return "\n".join(line for _, line in read_lines(path))


def read_list(path):
    """Reads a file with a name on each line; names may contain spaces.

    Args:
        path: string or path.

    Returns:
        List of strings, without surrounding whitespace. Blank lines are skipped.

    Raises:
        ValueError: see `read_lines`; also if the file is empty.
    """
    names = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not names:
        raise ValueError(f"{os.fspath(path)!r} is empty; it must have a name on each line.")
    return names


def check_kind(path, start):
    """Raises an error if a file starts like a file that is not text.

    Args:
        path: string.
        start: bytes. The first bytes of the file.
    """
    for mark, kind in _OTHER_KINDS.items():
        if start[: len(mark)].lower() == mark.lower():
            raise ValueError(f"{path!r} appears to be {kind}.")


def _detect_encoding(path):
    with open(path, "rb") as file:
        start = file.read(64)
    check_kind(path, start)
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _format_decoding_error(path, encoding):
    """Describes the first invalid byte of a file."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", error.object[: error.start])) + 1
        byte = error.object[error.start]
    if not encoding.startswith("utf-8"):
        return f"{path!r} starts like {encoding.upper()}, but cannot be decoded; it is damaged."
    return (
        f"{path!r} is not UTF-8: line {line} has the byte 0x{byte:02x}. If the file is Latin-1 or "
        "Windows-1252, as written by some spreadsheets, save it as UTF-8, for example with: "
        f"iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8_{os.path.basename(path)}"
    )

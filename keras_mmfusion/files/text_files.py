"""Text files, decoded strictly and read line by line."""

import codecs
import os
import re

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose mark is the start of this one.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# How files start that hold something else than the text that they should.
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
    b"<!doctype html": "a web page, perhaps the error page of a download: download it again",
    b"<html": "a web page, perhaps the error page of a download: download it again",
}


def read_lines(path):
    """Reads a text file line by line.

    Files are UTF-8, or UTF-16 or UTF-32 with a byte order mark. Lines end with LF, CRLF or CR.

    Args:
        path: string or path.

    Yields:
        Tuples of the line's number, from 1, and the line without its end and byte order marks.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is no text, or text in another encoding; the message has the line.
    """
    path = os.fspath(path)
    encoding = _encoding(path)
    try:
        with open(path, encoding=encoding) as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise ValueError(
                        f"{path!r}, line {number}: there is a NUL character. The file is damaged, "
                        "binary, or UTF-16 without a byte order mark; save it as UTF-8."
                    )
                # Files that were joined have marks in the middle, too.
                yield number, line.removesuffix("\n").lstrip("\ufeff")
    except UnicodeError:
        raise ValueError(_undecodable(path, encoding)) from None


def read_text(path):
    """Reads a whole text file; see `read_lines`. Lines end with LF, except the last one."""
    return "\n".join(line for _, line in read_lines(path))


def read_list(path):
    """Reads a file with a name on each line; names may contain spaces.

    Args:
        path: string or path.

    Returns:
        List of strings, without blanks around them. Blank lines are left out.

    Raises:
        ValueError: as `read_lines` does, or if there is no name.
    """
    names = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not names:
        raise ValueError(f"{os.fspath(path)!r} is empty; it must have a name on each line.")
    return names


def check_kind(path, start):
    """Raises an error if a file starts as those of another kind do.

    Args:
        path: string.
        start: bytes, the first ones of the file.
    """
    for mark, kind in _OTHER_KINDS.items():
        if start[: len(mark)].lower() == mark.lower():
            raise ValueError(f"{path!r} appears to be {kind}.")


def _encoding(path):
    with open(path, "rb") as file:
        start = file.read(64)
    check_kind(path, start)
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _undecodable(path, encoding):
    """What to tell of a file that has bytes which the encoding has not."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", error.object[: error.start])) + 1
        byte = error.object[error.start]
    if not encoding.startswith("utf-8"):
        return f"{path!r} starts as {encoding.upper()}, but cannot be decoded; it is damaged."
    return (
        f"{path!r} is not UTF-8: line {line} has the byte 0x{byte:02x}. If the file is Latin-1 or "
        "Windows-1252, as some spreadsheets write it, save it as UTF-8, for example with: "
        f"iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8_{os.path.basename(path)}"
    )

"""Identifies files that are not images by their first bytes, and suggests a remedy."""

import re

HEAD_BYTES = 1024
_PHOTO = "Convert it to JPEG or PNG"
_STILL = "Save a frame as JPEG or PNG, for example with ffmpeg"
_PAGE = "Render it as PNG"
_RAW = "Develop it to JPEG or PNG, for example with darktable"
_UNPACK = "Unpack it first"

# Kinds of ISO base media files, by their main brand: ISO/IEC 23008-12, section B.4.
_BRANDS = {
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"): (
        "a HEIC (HEIF) photo",
        f"{_PHOTO}, for example with `heif-convert photo.heic photo.jpg`, or install pillow-heif "
        "and call `pillow_heif.register_heif_opener()` first",
    ),
    (b"avif", b"avis"): (
        "an AVIF image",
        f"{_PHOTO}, or install a version of Pillow that reads AVIF",
    ),
    (b"crx ",): ("a raw camera photo (Canon CR3)", _RAW),
    (b"M4A ", b"M4B "): ("an audio file (MPEG-4)", "Pass an image"),
}
_STARTS = {
    b"\0\0\0\x0cJXL \r\n": ("a JPEG XL image", _PHOTO),
    b"\xff\x0a": ("a JPEG XL image", _PHOTO),
    b"II*\0\x10\0\0\0CR": ("a raw camera photo (Canon CR2)", _RAW),
    b"FUJIFILMCCD-RAW": ("a raw camera photo (Fujifilm RAF)", _RAW),
    b"IIRO": ("a raw camera photo (Olympus ORF)", _RAW),
    b"IIRS": ("a raw camera photo (Olympus ORF)", _RAW),
    b"MMOR": ("a raw camera photo (Olympus ORF)", _RAW),
    b"IIU\0": ("a raw camera photo (Panasonic RW2)", _RAW),
    b"FOVb": ("a raw camera photo (Sigma X3F)", _RAW),
    b"\0MRM": ("a raw camera photo (Minolta MRW)", _RAW),
    b"%PDF-": ("a PDF document", f"{_PAGE}, for example with `pdftoppm -png`"),
    b"%!PS": ("a PostScript document", _PAGE),
    b"\x1aE\xdf\xa3": ("a video (Matroska or WebM)", _STILL),
    b"FLV\x01": ("a video (FLV)", _STILL),
    b"\0\0\x01\xba": ("a video (MPEG)", _STILL),
    b"\0\0\x01\xb3": ("a video (MPEG)", _STILL),
    b"0&\xb2u\x8ef\xcf\x11": ("a video (Windows Media)", _STILL),
    b"ID3": ("an audio file (MP3)", "Pass an image"),
    b"OggS": ("an audio or video file (Ogg)", "Pass an image"),
    b"fLaC": ("an audio file (FLAC)", "Pass an image"),
    b"version https://git-lfs": (
        "a Git LFS pointer, not the file itself",
        "Run `git lfs pull` in its repository",
    ),
    b"PK\x03\x04": ("a ZIP archive", _UNPACK),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!": ("a RAR archive", _UNPACK),
    b"\x93NUMPY": ("a NumPy array", "Pass `numpy.load(path)`"),
    b"\x89HDF": ("an HDF5 file", "Read the image from it and pass an array"),
}
_RIFF = {
    b"AVI ": ("a video (AVI)", _STILL),
    b"WAVE": ("an audio file (WAV)", "Pass an image"),
}
_SVG, _HTML, _XML = rb"<svg[\s>]", rb"<(!doctype html|html|head|body)[\s>]", rb"<\?xml"


def identify_file(head):
    """Identifies a file that is not an image that Pillow can read.

    Args:
        head: bytes. The first `HEAD_BYTES` bytes of the file.

    Returns:
        A tuple of strings, the description of the file and the remedy; or `None` if unknown.

    Example:

    >>> identify_file(b"%PDF-1.7 ...")
    ('a PDF document', 'Render it as PNG, for example with `pdftoppm -png`')
    """
    if not head:
        return "empty", "Write or download it again"
    if head[4:8] == b"ftyp":
        for brands, kind in _BRANDS.items():
            if head[8:12] in brands:
                return kind
        return "a video (MPEG-4 or QuickTime)", _STILL
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    return _identify_text(head)


def _identify_text(head):
    if b"\0" in head:
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith((b"<", b"{", b"[")):
        return None
    if re.search(_SVG, text):
        return "an SVG drawing", f"{_PAGE}, for example with `rsvg-convert`"
    if re.search(_HTML, text):
        return (
            "an HTML page, possibly an error message of the server",
            "Download the image again; the page may show why it failed",
        )
    if re.match(_XML, text):
        return "an XML document", "Pass an image"
    if text.startswith((b"{", b"[")):
        return "a JSON document", "Pass an image"
    return None

"""Files that are often given for images, by their first bytes, and what to do about each."""

import re

HEAD_BYTES = 1024
_PHOTO = "Convert it to JPEG or PNG"
_STILL = "Save a still picture of it as JPEG or PNG, for example with ffmpeg"
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
    (b"avif", b"avis"): ("an AVIF image", f"{_PHOTO}, or install a Pillow that reads AVIF"),
    (b"crx ",): ("a raw photo of a camera (Canon CR3)", _RAW),
    (b"M4A ", b"M4B "): ("an audio file (MPEG-4)", "Give an image"),
}
_STARTS = {
    b"\0\0\0\x0cJXL \r\n": ("a JPEG XL image", _PHOTO),
    b"\xff\x0a": ("a JPEG XL image", _PHOTO),
    b"II*\0\x10\0\0\0CR": ("a raw photo of a camera (Canon CR2)", _RAW),
    b"FUJIFILMCCD-RAW": ("a raw photo of a camera (Fujifilm RAF)", _RAW),
    b"IIRO": ("a raw photo of a camera (Olympus ORF)", _RAW),
    b"IIRS": ("a raw photo of a camera (Olympus ORF)", _RAW),
    b"MMOR": ("a raw photo of a camera (Olympus ORF)", _RAW),
    b"IIU\0": ("a raw photo of a camera (Panasonic RW2)", _RAW),
    b"FOVb": ("a raw photo of a camera (Sigma X3F)", _RAW),
    b"\0MRM": ("a raw photo of a camera (Minolta MRW)", _RAW),
    b"%PDF-": ("a PDF document", f"{_PAGE}, for example with `pdftoppm -png`"),
    b"%!PS": ("a PostScript document", _PAGE),
    b"\x1aE\xdf\xa3": ("a video (Matroska or WebM)", _STILL),
    b"FLV\x01": ("a video (FLV)", _STILL),
    b"\0\0\x01\xba": ("a video (MPEG)", _STILL),
    b"\0\0\x01\xb3": ("a video (MPEG)", _STILL),
    b"0&\xb2u\x8ef\xcf\x11": ("a video (Windows Media)", _STILL),
    b"ID3": ("an audio file (MP3)", "Give an image"),
    b"OggS": ("an audio or video file (Ogg)", "Give an image"),
    b"fLaC": ("an audio file (FLAC)", "Give an image"),
    b"version https://git-lfs": (
        "a pointer of Git LFS, not the file itself",
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
    b"WAVE": ("an audio file (WAV)", "Give an image"),
}
_SVG, _HTML, _XML = rb"<svg[\s>]", rb"<(!doctype html|html|head|body)[\s>]", rb"<\?xml"


def foreign_file(head):
    """What a file is whose first bytes these are, if it is no image that Pillow reads.

    Args:
        head: bytes, the first `HEAD_BYTES` of it.

    Returns:
        A tuple of strings: what it is, and what to do about it; or `None`.

    Example:

    >>> foreign_file(b"%PDF-1.7 ...")
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
    return _text_file(head)


def _text_file(head):
    """The same for files of text."""
    if b"\0" in head:
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith((b"<", b"{", b"[")):
        return None
    if re.search(_SVG, text):
        return "an SVG drawing", f"{_PAGE}, for example with `rsvg-convert`"
    if re.search(_HTML, text):
        return (
            "an HTML page, perhaps the error message of a server",
            "Download the image again, and look at the page for the reason",
        )
    if re.match(_XML, text):
        return "an XML document", "Give an image"
    if text.startswith((b"{", b"[")):
        return "a JSON document", "Give an image"
    return None

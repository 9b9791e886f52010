import pytest

from keras_mmfusion.files.text_files import read_lines, read_list, read_text

LINES = ["Ein Hündchen", "", "zwei Hündchen"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_detected(tmp_path, encoding, end):
    path = tmp_path / "t.txt"
    path.write_bytes(end.join([*LINES, ""]).encode(encoding))
    assert list(read_lines(path)) == list(enumerate(LINES, start=1))
    assert read_text(path) == "\n".join(LINES)
    assert read_list(path) == [LINES[0], LINES[2]]


@pytest.mark.parametrize("order", ["le", "be"])
def test_both_byte_orders_of_utf_16_are_read(tmp_path, order):
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeffmy photo.jpg\n".encode(f"utf-16-{order}"))
    assert read_list(path) == ["my photo.jpg"]


def test_byte_order_marks_of_concatenated_files_are_removed(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeffa.jpg\n\ufeffb.jpg\n".encode())
    assert read_list(path) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\r\nna\xefve\n", r"t.txt' is not UTF-8: line 2 has the byte 0xef.*Latin-1.*iconv"),
        (b"one\rtwo\rna\xefve\r", "line 3 has the byte 0xef"),
        (b"\xef\xbb\xbfna\xefve", "not UTF-8: line 1"),
        ("a\nb\n".encode("utf-16-le"), "line 1 contains a NUL character.*UTF-16 without"),
        (b"a\nb\0\n", "line 2 contains a NUL character"),
        (b"\xff\xfea\0\n", "starts like UTF-16, but cannot be decoded"),
        (b"PK\x03\x04...", "appears to be a ZIP archive or an Excel workbook"),
        (b"\x1f\x8b...", "appears to be a gzip archive"),
        (b"\xff\xd8\xff...", "appears to be a JPEG image"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE HTML><html>", "appears to be a web page"),
    ],
)
def test_files_that_are_not_text_are_rejected(tmp_path, content, message):
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_text(path)


def test_empty_list_is_rejected(tmp_path):
    (tmp_path / "t.txt").write_text(" \n\n")
    with pytest.raises(ValueError, match="is empty; it must have a name on each line"):
        read_list(tmp_path / "t.txt")

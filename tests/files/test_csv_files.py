import pytest

from keras_mmfusion.files.csv_files import read_csv


@pytest.fixture
def read(tmp_path):
    def read(text, *columns, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return list(read_csv(path, columns, **options))

    return read


def test_rows_are_read_with_their_line_numbers(read):
    text = '\ufeff name , text\n\na,"x, y"\n  \n b , "say ""hi""\nthere"\n'
    assert read(text) == [
        (3, {"name": "a", "text": "x, y"}),
        (5, {"name": "b", "text": 'say "hi"\nthere'}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_and_line_ends_are_detected(read, end, encoding):
    text = end.join(["a,b", "ä,1", "c,2"]).encode(encoding)
    assert [row for _, row in read(text)] == [{"a": "ä", "b": "1"}, {"a": "c", "b": "2"}]


def test_columns_without_a_name_are_skipped(read):
    assert read(",a,\n0,x,\n") == [(2, {"a": "x"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it must have a header with the columns a, b"),
        ("\n \n", "is empty"),
        ("a,c\n1,2\n", "no column 'b'. Line 1 must be a header with the columns a, b. .* a, c"),
        ("a,b, a\n", "line 1: the header has the column 'a' more than once, at 1, 3"),
        ("a,b\n1\n", "line 2: expected 2 cells, .* found 1. An empty cell needs a comma"),
        ("a,b\n1,2\n\n1,2,3\n", "line 4: expected 2 cells, .* found 3. .*double quotes"),
        ("a;b\n1;2\n", r"separated by semicolons; .*read_csv\(path, sep=';'\)"),
        ('"a"\t"b"\n1\t2\n', "separated by tabs"),
        ('"a"; b;"c, d"\n1;2;3\n', "separated by semicolons"),
        ("a|b\n1|2\n", "separated by vertical bars"),
        ('a,b\n1,"2\n3,4\n5,6\n', "line 2: a quoted cell is not closed"),
        ('a,b\n1,2\n3,"4\n5,"6"\n', "line 3: a quoted cell is not closed"),
        ('a,b\n"1\n2",3\n"4\n5","6\n7,8\n', "line 5: a quoted cell is not closed"),
        ('a,b\n1,"Hello" he said\n', "line 2: a quoted cell .* write quotation marks twice"),
        ('a,b\n1.jpg,"x\n2.jpg,y\n3.jpg,of 5"\n', "line 2: a quoted cell .* other rows"),
    ],
)
def test_ambiguous_files_are_rejected(read, text, message):
    with pytest.raises(ValueError, match=f"t.csv'.*{message}"):
        read(text, "a", "b")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ('"A dog" ,x', ["A dog", "x"]),
        (' "A, ""b""" \t, "x" ', ['A, "b"', "x"]),
        ('\t"A"\t,"x\n\n""y"" , z" ', ["A", 'x\n\n"y" , z']),
        ('"" ,""""', ["", '"']),
        ('5" disk,say "hi"', ['5" disk', 'say "hi"']),
    ],
)
def test_whitespace_around_quoted_cells_is_ignored(read, row, cells):
    rows = [list(values.values()) for _, values in read(f"a,b\n{row}\n1,2\n")]
    assert rows == [cells, ["1", "2"]]


def test_large_unclosed_cell_is_rejected(read):
    with pytest.raises(ValueError, match="line 2: a quoted cell .*the file ends"):
        read('a,b\n1,"2\n' + "3,4\n" * 50_000)


def test_text_column_may_have_unquoted_commas_if_it_is_the_last(read):
    rows = read('image,caption\n1.jpg,A dog, a "big" cat\n2.jpg,b\n', text_column="caption")
    assert [row["caption"] for _, row in rows] == ['A dog, a "big" cat', "b"]
    for text in ('image,caption\n"1,2.jpg",A dog, a cat\n', "caption,image\nA dog, a cat,1.jpg\n"):
        with pytest.raises(ValueError, match="line 2: expected 2 cells"):
            read(text, text_column="caption")


def test_quoted_cells_may_have_several_lines(read):
    text = 'image,caption\n1.jpg,"A dog,\nbig, brown"\n'
    assert read(text)[0][1]["caption"] == "A dog,\nbig, brown"

import json
import os
import pathlib

import numpy as np
import pytest

from keras_mmfusion.datasets import image_caption_pairs, read_image_caption_pairs


@pytest.fixture
def folder(pairs):
    return os.path.dirname(pairs.images[0])


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_csv(folder, tmp_path):
    text = '\ufeffcaption,image\n"One, two",1.jpg\nZwölf,0.jpg\nthree,1.jpg\n'
    found = read_image_caption_pairs(folder, write(tmp_path, "t.csv", text))
    assert [os.path.basename(image) for image in found.images] == ["1.jpg", "0.jpg"]
    assert found.captions == [["One, two", "three"], ["Zwölf"]]


def test_json_lines(folder, tmp_path):
    rows = [{"image": "2.jpg", "caption": "a"}, {"image": "3.jpg", "captions": ["b", "c"]}]
    text = "\n".join(map(json.dumps, rows)) + "\n\n"
    found = read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", text))
    assert found.captions == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "image,caption\n,a\n"),
        ("t.jsonl", '{"image": "0.jpg"}'),
        ("t.jsonl", '{"image": "0.jpg", "captions": [1]}'),
    ],
)
def test_bad_rows_are_shown_with_their_line(folder, tmp_path, name, text):
    with pytest.raises(ValueError, match="line [12]: `table` must name an 'image'"):
        read_image_caption_pairs(folder, write(tmp_path, name, text))


def test_bad_json(folder, tmp_path):
    with pytest.raises(ValueError, match="t.jsonl', line 1: must be a JSON object"):
        read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", "image"))


def test_empty_table(folder, tmp_path):
    with pytest.raises(ValueError, match="has no rows"):
        read_image_caption_pairs(folder, write(tmp_path, "t.csv", "image,caption\n"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "file,text\n0.jpg,a\n", "no column 'image', 'caption'.*Received: file, text"),
        ("t.csv", "image,caption\n0.jpg\n", "line 2: expected 2 cells.* there are 1"),
        ("t.csv", "caption,image\nA dog, a cat,0.jpg\n", "line 2: expected 2 .* there are 3"),
        ("t.csv", "image,caption,caption\n0.jpg,a,b\n", "'caption' more than once, at 2, 3"),
        ("t.csv", "image;caption\n0.jpg;a\n", "separated by semicolons.*sep=';'"),
        ("t.csv", "image\tcaption\n0.jpg\ta\n", "separated by tabs"),
        ("t.csv", 'image,caption\n0.jpg,"a\n1.jpg,b\n2.jpg,c\n', "line 2: the quotation mark"),
        ("t.csv", 'image,caption\n0.jpg,a\n1.jpg,"b\n2.jpg,c"\n', "line 3: the quotation mark"),
        ("t.jsonl", '["0.jpg", "a"]', "line 1: must be a JSON object on one line, not list"),
        ("t.jsonl", '{"image": "0.jpg", "caption": "a", "caption": "b"}', "is there twice"),
    ],
)
def test_tables_that_are_ambiguous(folder, tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_image_caption_pairs(folder, write(tmp_path, name, text))


def test_commas_and_quotes_of_captions(folder, tmp_path):
    text = 'image , caption\n0.jpg,A dog, a cat\n\n0.jpg,"Two, ""big"", dogs"\n0.jpg, c\n'
    for name in ("t.csv", "captions.txt"):
        found = read_image_caption_pairs(folder, write(tmp_path, name, text))
        assert found.captions == [["A dog, a cat", 'Two, "big", dogs', "c"]]


def test_a_data_frame(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": ["1.jpg", "0.jpg"], "caption": ["A dog, a cat", None]})
    assert read_image_caption_pairs(folder, frame[:1]).captions == [["A dog, a cat"]]
    with pytest.raises(ValueError, match="The DataFrame, row 1: `table` must name an 'image'"):
        read_image_caption_pairs(folder, frame)


def test_a_data_frame_of_lists_and_paths(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"image": [pathlib.Path("1.jpg"), "0.jpg"], "captions": [np.array(["a", "b"]), ("c",)]}
    )
    found = read_image_caption_pairs(folder, frame)
    assert [os.path.basename(image) for image in found.images] == ["1.jpg", "0.jpg"]
    assert found.captions == [["a", "b"], ["c"]]


def test_captions_are_one_line_that_tensors_can_hold(folder, tmp_path):
    text = '{"image": "0.jpg", "captions": ["a \\ud83d\\n dog "]}'
    found = read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", text))
    assert found.captions == [["a \ufffd dog"]]


def test_dataset(folder, tmp_path):
    pytest.importorskip("tensorflow")
    table = write(tmp_path, "t.csv", "image,caption\n0.jpg,a b\n")
    dataset = image_caption_pairs(folder, table, image_size=(8, 8), captions_per_image=2)
    batch = next(iter(dataset))
    assert batch["images"].shape == (1, 8, 8, 3)
    assert batch["captions"].numpy().tolist() == [[b"a b", b""]]

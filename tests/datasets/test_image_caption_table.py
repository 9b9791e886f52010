import json
import os
import pathlib

import numpy as np
import pytest

from keras_mmfusion.datasets import image_caption_dataset, read_image_caption_pairs


@pytest.fixture
def folder(pairs):
    return os.path.dirname(pairs.images[0])


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_reads_csv(folder, tmp_path):
    text = '\ufeffcaption,image\n"One, two",1.jpg\nZwölf,0.jpg\nthree,1.jpg\n'
    pairs = read_image_caption_pairs(folder, write(tmp_path, "t.csv", text))
    assert [os.path.basename(image) for image in pairs.images] == ["1.jpg", "0.jpg"]
    assert pairs.captions == [["One, two", "three"], ["Zwölf"]]


def test_reads_json_lines(folder, tmp_path):
    rows = [{"image": "2.jpg", "caption": "a"}, {"image": "3.jpg", "captions": ["b", "c"]}]
    text = "\n".join(map(json.dumps, rows)) + "\n\n"
    pairs = read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", text))
    assert pairs.captions == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "image,caption\n,a\n"),
        ("t.jsonl", '{"image": "0.jpg"}'),
        ("t.jsonl", '{"image": "0.jpg", "captions": [1]}'),
    ],
)
def test_error_shows_the_line_of_the_invalid_row(folder, tmp_path, name, text):
    with pytest.raises(ValueError, match="line [12]: each row of `table` must have an 'image'"):
        read_image_caption_pairs(folder, write(tmp_path, name, text))


def test_invalid_json_is_rejected(folder, tmp_path):
    with pytest.raises(ValueError, match="t.jsonl', line 1: must be a JSON object"):
        read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", "image"))


def test_empty_table_is_rejected(folder, tmp_path):
    with pytest.raises(ValueError, match="has no rows"):
        read_image_caption_pairs(folder, write(tmp_path, "t.csv", "image,caption\n"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "file,text\n0.jpg,a\n", "no column 'image', 'caption'.*Received: file, text"),
        ("t.csv", "image,caption\n0.jpg\n", "line 2: expected 2 cells.* found 1"),
        ("t.csv", "caption,image\nA dog, a cat,0.jpg\n", "line 2: expected 2 .* found 3"),
        ("t.csv", "image,caption,caption\n0.jpg,a,b\n", "'caption' more than once, at 2, 3"),
        ("t.csv", "image;caption\n0.jpg;a\n", "separated by semicolons.*sep=';'"),
        ("t.csv", "image\tcaption\n0.jpg\ta\n", "separated by tabs"),
        (
            "t.csv",
            'image,caption\n0.jpg,"a\n1.jpg,b\n2.jpg,c\n',
            "line 2: a quoted cell is not closed",
        ),
        (
            "t.csv",
            'image,caption\n0.jpg,a\n1.jpg,"b\n2.jpg,c"\n',
            "line 3: a quoted cell is not closed",
        ),
        ("t.jsonl", '["0.jpg", "a"]', "line 1: must be a JSON object on one line, not list"),
        ("t.jsonl", '{"image": "0.jpg", "caption": "a", "caption": "b"}', "is repeated"),
    ],
)
def test_ambiguous_tables_are_rejected(folder, tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_image_caption_pairs(folder, write(tmp_path, name, text))


def test_captions_may_contain_commas_and_quotes(folder, tmp_path):
    text = 'image , caption\n0.jpg,A dog, a cat\n\n0.jpg,"Two, ""big"", dogs"\n0.jpg, c\n'
    for name in ("t.csv", "captions.txt"):
        pairs = read_image_caption_pairs(folder, write(tmp_path, name, text))
        assert pairs.captions == [["A dog, a cat", 'Two, "big", dogs', "c"]]


def test_reads_data_frame(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": ["1.jpg", "0.jpg"], "caption": ["A dog, a cat", None]})
    assert read_image_caption_pairs(folder, frame[:1]).captions == [["A dog, a cat"]]
    message = "The DataFrame, row 1: each row of `table` must have an 'image' and a 'caption'"
    with pytest.raises(ValueError, match=message):
        read_image_caption_pairs(folder, frame)


def test_data_frame_may_have_lists_and_paths(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"image": [pathlib.Path("1.jpg"), "0.jpg"], "captions": [np.array(["a", "b"]), ("c",)]}
    )
    pairs = read_image_caption_pairs(folder, frame)
    assert [os.path.basename(image) for image in pairs.images] == ["1.jpg", "0.jpg"]
    assert pairs.captions == [["a", "b"], ["c"]]


def test_captions_are_single_valid_lines(folder, tmp_path):
    text = '{"image": "0.jpg", "captions": ["a \\ud83d\\n dog "]}'
    pairs = read_image_caption_pairs(folder, write(tmp_path, "t.jsonl", text))
    assert pairs.captions == [["a \ufffd dog"]]


def test_dataset_batches_images_and_captions(folder, tmp_path):
    pytest.importorskip("tensorflow")
    table = write(tmp_path, "t.csv", "image,caption\n0.jpg,a b\n")
    dataset = image_caption_dataset(folder, table, image_size=(8, 8), captions_per_image=2)
    batch = next(iter(dataset))
    assert batch["images"].shape == (1, 8, 8, 3)
    assert batch["captions"].numpy().tolist() == [[b"a b", b""]]

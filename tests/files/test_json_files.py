import json

import pytest

from keras_mmfusion.files.json_files import read_json, read_json_lines
from keras_mmfusion.files.json_kinds import describe_json
from keras_mmfusion.files.json_records import ID, LIST, TEXT, JsonFile


def write(tmp_path, content):
    path = tmp_path / "t.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_are_detected(tmp_path, encoding):
    path = write(tmp_path, '{"a": "Hündchen"}'.encode(encoding))
    assert read_json(path) == {"a": "Hündchen"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n", "t.json' is empty; it must be JSON"),
        (b'{"a": [1, 2', "is not valid JSON: .* It is truncated"),
        (b'{"a": "caf', "It is truncated"),
        (b'{"a": 1}\n{"a": 2}\n', "It may be a JSON lines file"),
        (b"image,caption\n", "is not valid JSON.* It starts with 'image,caption"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"<html>", "appears to be a web page"),
        (b'\xff\xfe"\0a', "cannot be decoded"),
    ],
)
def test_invalid_json_is_rejected(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_json(write(tmp_path, content))


def test_reads_json_lines(tmp_path):
    path = write(tmp_path, '\ufeff{"a": 1}\r\n\r\n{"a": 2}'.encode())
    assert list(read_json_lines(path)) == [(1, {"a": 1}), (3, {"a": 2})]
    for line, message in (("[1]", "not list"), ('{"a": 1, "a": 2}', "'a' is repeated")):
        with pytest.raises(
            ValueError, match=f"line 2: must be a JSON object on one line.*{message}"
        ):
            list(read_json_lines(write(tmp_path, f'{{"a": 1}}\n{line}'.encode())))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ([{"image_id": 1, "caption": "a"}], "a COCO results file"),
        ({"annotations": [{"image_id": 1, "caption": None}]}, "COCO caption annotations"),
        ({"annotations": [{"category_id": 1, "bbox": []}]}, "COCO instance annotations"),
        ({"annotations": [{"category_id": 1, "keypoints": []}]}, "COCO keypoint annotations"),
        ({"annotations": [{"question_id": 1, "answers": []}]}, "VQA v2's annotations"),
        ({"questions": [{"question": "Why?"}]}, "VQA v2's questions"),
        ({"images": [{"sentences": []}]}, "Karpathy's split file"),
        ({"images": [{"file_name": "1.jpg"}]}, "COCO's list of images"),
        ([{"id": 1, "regions": []}], "Visual Genome's region_descriptions.json"),
        ([{"id": 1, "qas": []}], "Visual Genome's question_answers.json"),
        ([["Why?", "yes", 1]], "a list that starts with"),
        ({}, "an empty object"),
        ([], "an empty list"),
        (None, "a single NoneType"),
    ],
)
def test_well_known_files_are_described(content, kind):
    assert describe_json(content).startswith(kind)


def test_records_are_checked(tmp_path):
    def records(content, key="images", **fields):
        return JsonFile(write(tmp_path, content), "a list of images").get_records(key, **fields)

    assert records({"images": [{"id": 1}, {"id": "a"}]}, id=ID) == [{"id": 1}, {"id": "a"}]
    for content, message in (
        ([{"image_id": 1, "caption": "a"}], "no 'images'. The file appears to be a COCO results"),
        ({"images": None}, "'images' is not a list"),
        ({"images": []}, "'images' is empty"),
        ({"images": [3]}, "entry 0 of 'images' is not an object: 3"),
        ({"images": [{"id": 1}, {"x": 1}]}, "entry 1 of 'images' has no 'id': {'x': 1}"),
        ({"images": [{"id": None}]}, "must have an integer or a string as its 'id', not None"),
        ({"images": [{"id": True}]}, "not True"),
    ):
        with pytest.raises(ValueError, match=f"t.json' must be a list of images, but .*{message}"):
            records(content, id=ID)
    with pytest.raises(ValueError, match="entry 0 of it must have a list as its 'a'"):
        records([{"a": "x"}], key=None, a=LIST, b=TEXT)


def test_repeated_records_are_removed(tmp_path):
    file = JsonFile(write(tmp_path, []), "a list")
    assert file.drop_repeats([{"id": 1}, {"id": 1}], "id") == [{"id": 1}]
    with pytest.raises(ValueError, match="t.json': two records with 'id' 1 differ"):
        file.drop_repeats([{"id": 1}, {"id": 1, "x": 2}], "id")

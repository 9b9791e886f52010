"""Folders of questions in known layouts; test_vqa_v2.py tests VQA v2 in detail."""

import json

import pytest
from photos import photo
from PIL import Image
from vqa_files import annotation, question, write_coco_photos, write_easy_vqa, write_vqa_v2

from keras_mmfusion.datasets import read_question_folder, read_question_table, read_vqa_rad

ROW = {
    "qid": 3,
    "image_name": "b.png",
    "question": "Are the lungs normal?",
    "question_type": "PRES, ABN",
    "answer": "No",
    "answer_type": "CLOSED ",
}


def write_images(folder, *names):
    (folder / "images").mkdir()
    for name in names:
        Image.fromarray(photo(8, 8)).save(folder / "images" / name)


@pytest.mark.parametrize("split", ["dev", "train"])
def test_vqa_v2_with_files_of_its_own_and_missing_images(tmp_path, split):
    questions = [question(1, 7, "What is it?"), question(2, 8, "Why?")]
    annotations = [annotation(1, 7, ["net"] * 10), annotation(2, 8, ["so"] * 10)]
    write_vqa_v2(tmp_path, split, questions, annotations)
    path = tmp_path / f"v2_OpenEnded_mscoco_{split}_questions.json"
    content = {**json.loads(path.read_text()), "data_subtype": "train2014"}
    path.write_text(json.dumps(content))
    write_coco_photos(tmp_path, "train2014", [7])
    with pytest.warns(UserWarning, match="Skipped 1 questions without an image file, by id: 2"):
        data = read_question_folder(tmp_path, split, skip_missing_images=True)
    assert (data.question_ids, data.num_without_image) == ([1], 1)
    assert data.types == [{"answer_type": "other", "question_type": "what is"}]
    with pytest.raises(ValueError, match="`split` must be one of .*Received: 'val3'"):
        read_question_folder(tmp_path, "val3")


def test_easy_vqa(tmp_path):
    write_easy_vqa(tmp_path, {"test": [["what color?", "red", 0], ["is it red?", "no", 1]]})
    (tmp_path / "test" / "images" / "1.png").unlink()
    with pytest.warns(UserWarning, match="by id: 1"):
        data = read_question_folder(tmp_path, "test", skip_missing_images=True)
    assert (data.questions, data.answers, data.types) == (
        ["what color?"],
        [["red"]],
        [{"answer_type": "color"}],
    )


def test_csv_file(tmp_path):
    write_images(tmp_path, "a.png")
    text = "image,question,answer\na.png,what is it ?,cup, table\na.png,how many ?,2\n"
    (tmp_path / "dev.csv").write_text(text)
    data = read_question_folder(tmp_path, "dev")
    assert data.answers_by_id == {2: ["cup, table"], 3: ["2"]}
    (tmp_path / "dev.csv").write_text("image,question\na.png,what is it ?\n")
    with pytest.raises(ValueError, match="has no column 'answer'"):
        read_question_folder(tmp_path, "dev")


def test_json_lines_may_have_several_answers(tmp_path):
    write_images(tmp_path, "a.png")
    lines = [
        {"image": "a.png", "question": "what is it?", "answers": ["cup", "mug"]},
        {"image": "a.png", "question": "how many?", "answer": 2},
    ]
    path = tmp_path / "dev.jsonl"
    path.write_text(json.dumps(lines[0]))
    assert read_question_table(tmp_path / "images", path).answers == [["cup", "mug"]]
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(ValueError, match="line 2: each row of `table` must have an 'image'"):
        read_question_table(tmp_path / "images", path)


def test_vqa_rad(tmp_path):
    write_images(tmp_path, "b.png")
    rows = [ROW, {**ROW, "qid": "4", "answer": 2, "question_type": "COUNT"}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    data = read_question_folder(tmp_path, "train")
    assert data.answers_by_id == {3: ["No"], "4": ["2"]}
    assert data.types[0] == {"answer_type": "CLOSED", "question_type": "PRES, ABN"}
    assert data.take(1).types == data.types[:1]
    (tmp_path / "train.json").write_text(json.dumps([{"qid": 1}]))
    with pytest.raises(ValueError, match="entry 0 of it has no 'image_name'"):
        read_vqa_rad(tmp_path, "train")


def test_unknown_layout_is_described(tmp_path):
    with pytest.raises(ValueError, match="questions of the split 'dev'.*dev.csv with the columns"):
        read_question_folder(tmp_path, "dev")

import json
import os

import pytest
from vqa_files import annotation, question, write_coco_photos, write_vqa_v2

from keras_mmfusion.datasets import read_vqa_v2
from keras_mmfusion.metrics import vqa_accuracy

QUESTIONS = [
    question(458752000, 458752, "What is this photo taken looking through?"),
    question(262148000, 262148, "Where is he looking?"),
    question(458752001, 458752, "What position is this man playing?"),
]
ANSWERS = {
    458752000: ["net"] * 8 + ["netting", "mesh"],
    458752001: ["pitcher"] * 9 + ["catcher"],
    262148000: ["down"] * 3 + ["at table"] * 2 + ["skateboard"] * 5,
}
IMAGES = {each["question_id"]: each["image_id"] for each in QUESTIONS}
# In a different order than the questions.
ANNOTATIONS = [annotation(key, IMAGES[key], answers) for key, answers in ANSWERS.items()]


@pytest.mark.parametrize("json_folder", ["", "Questions"])
@pytest.mark.parametrize("image_folder", ["", "images"])
def test_reads_all_layouts(tmp_path, json_folder, image_folder):
    write_vqa_v2(tmp_path / json_folder, "val2014", QUESTIONS, ANNOTATIONS)
    write_coco_photos(tmp_path / image_folder, "val2014", set(IMAGES.values()))
    data = read_vqa_v2(tmp_path, "val")
    assert data.question_ids == [each["question_id"] for each in QUESTIONS]
    assert data.questions == [each["question"] for each in QUESTIONS]
    assert data.answers_by_id == ANSWERS
    assert [os.path.basename(image) for image in data.images] == [
        f"COCO_val2014_000000{image}.jpg" for image in IMAGES.values()
    ]


def test_answers_are_scored_by_consensus(tmp_path):
    write_vqa_v2(tmp_path, "train2014", QUESTIONS, ANNOTATIONS)
    write_coco_photos(tmp_path, "train2014", set(IMAGES.values()))
    data = read_vqa_v2(tmp_path)
    predictions = {458752000: "Mesh.", 262148000: "down", 458752001: "pitcher"}
    _, each = vqa_accuracy(data.answers_by_id, predictions)
    assert each == pytest.approx({458752000: 0.3, 262148000: 0.9, 458752001: 1.0})
    assert data.list_frequent_answers(3) == ["pitcher", "net", "skateboard"]
    assert data.answer_scores(["down", "net"]) == [{1: 1.0}, {0: pytest.approx(0.9)}, {}]


def test_targets_match_the_metric_for_each_class(tmp_path):
    answers = {
        458752000: ["The Who"] * 10,
        458752001: ["hot-dog"] * 4 + ["two"] * 2 + ["the who"] * 3 + ["dont"],
        262148000: ["two"] * 10,
    }
    write_vqa_v2(
        tmp_path,
        "train2014",
        QUESTIONS,
        [annotation(key, IMAGES[key], each) for key, each in answers.items()],
    )
    write_coco_photos(tmp_path, "train2014", set(IMAGES.values()))
    data = read_vqa_v2(tmp_path)
    assert data.list_frequent_answers(9) == ["The Who", "two", "hot dog", "who", "2", "don't"]
    classes = [*data.list_frequent_answers(9), "hot-dog", "dont", "unknown"]
    for index, answer in enumerate(classes):
        _, each = vqa_accuracy(answers, dict.fromkeys(answers, answer))
        targets = [scores.get(index, 0.0) for scores in data.answer_scores(classes)]
        assert dict(zip(data.question_ids, targets, strict=True)) == pytest.approx(each)


@pytest.mark.parametrize(("split", "part"), [("test-dev", "test-dev2015"), ("test", "test2015")])
def test_reads_splits_without_answers(tmp_path, split, part):
    write_vqa_v2(tmp_path, part, QUESTIONS)
    write_coco_photos(tmp_path, "test2015", set(IMAGES.values()))
    data = read_vqa_v2(tmp_path, split)
    assert data.answers == [[], [], []]
    assert "COCO_test2015_" in data.images[0]


def test_invalid_records_are_dropped(tmp_path):
    more = [QUESTIONS[1], question(9, 262148, "  "), question(10, 262148, "Why?")]
    lone = annotation(11, 262148, ["yes"] * 10)
    empty = annotation(458752001, 458752, ["", "\n", "ja\ud800"])
    write_vqa_v2(tmp_path, "val2014", QUESTIONS + more, [*ANNOTATIONS[:1], empty, lone])
    write_coco_photos(tmp_path, "val2014", set(IMAGES.values()))
    with pytest.warns(UserWarning) as warnings:
        data = read_vqa_v2(tmp_path, "val")
    assert data.question_ids == [458752000, 458752001]
    assert data.answers[1] == ["ja�"]
    assert [str(each.message) for each in warnings] == [
        "Skipped 1 empty questions, by id: 9",
        "Skipped 2 questions without an answer, by id: 262148000, 10",
    ]


def test_questions_with_the_same_id_are_rejected(tmp_path):
    repeated = [*QUESTIONS, question(458752000, 458752, "Another?")]
    write_vqa_v2(tmp_path, "val2014", repeated, ANNOTATIONS)
    write_coco_photos(tmp_path, "val2014", [])
    with pytest.raises(ValueError, match="'question_id' 458752000 differ"):
        read_vqa_v2(tmp_path, "val")


def test_missing_images_are_rejected_or_skipped(tmp_path):
    write_vqa_v2(tmp_path, "val2014", QUESTIONS, ANNOTATIONS)
    write_coco_photos(tmp_path, "val2014", [458752])
    with pytest.raises(ValueError, match="COCO_val2014_000000262148.jpg"):
        read_vqa_v2(tmp_path, "val")
    with pytest.warns(UserWarning, match="1 questions without an image file, by id: 262148000"):
        data = read_vqa_v2(tmp_path, "val", skip_missing_images=True)
    assert data.question_ids == [458752000, 458752001]


def test_missing_files_are_named_with_their_source(tmp_path):
    with pytest.raises(ValueError, match="must contain v2_OpenEnded_mscoco_val2014.*visualqa.org"):
        read_vqa_v2(tmp_path, "val")
    write_vqa_v2(tmp_path, "val2014", QUESTIONS)
    with pytest.raises(ValueError, match="must contain v2_mscoco_val2014_annotations.json"):
        read_vqa_v2(tmp_path, "val")
    write_vqa_v2(tmp_path, "val2014", QUESTIONS, ANNOTATIONS)
    with pytest.raises(ValueError, match="must contain val2014.*train2014/"):
        read_vqa_v2(tmp_path, "val")
    with pytest.raises(ValueError, match="'test-dev', 'test'. Received: 'dev'"):
        read_vqa_v2(tmp_path, "dev")


def test_truncated_files_are_rejected_and_encodings_detected(tmp_path):
    write_vqa_v2(tmp_path, "test2015", QUESTIONS)
    write_coco_photos(tmp_path, "test2015", set(IMAGES.values()))
    path = tmp_path / "v2_OpenEnded_mscoco_test2015_questions.json"
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    with pytest.raises(ValueError, match="test2015_questions.json' is not valid JSON.* truncated"):
        read_vqa_v2(tmp_path, "test")
    # UTF-8 and Windows-1252 in one file, and a byte that is invalid in both.
    path.write_bytes(content.replace(b"Where is he", "Où est l’ami".encode() + b" caf\xe9 \x81"))
    assert read_vqa_v2(tmp_path, "test").questions[1] == "Où est l’ami café � looking?"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("questions", [], "it has no 'questions'. The file appears to be an empty list"),
        ("questions", {"questions": []}, "'questions' is empty"),
        ("questions", {"annotations": ANNOTATIONS}, "no 'questions'. .* VQA v2's annotations"),
        ("questions", {"questions": [{"question": "Why?", "question_id": 1}]}, "no 'image_id'"),
        ("questions", {"questions": [question(1, "a", "Why?")]}, "an integer as its 'image_id'"),
        ("questions", {"questions": [question(1, 2, None)]}, "a string as its 'question'"),
        ("annotations", {"questions": QUESTIONS}, "no 'annotations'. .* VQA v2's questions"),
        ("annotations", {"annotations": [{"question_id": 1}]}, "entry 0 .* has no 'answers'"),
        (
            "annotations",
            {"annotations": [{"question_id": 1, "answers": ["yes"]}]},
            "entry 0 of the answers to question 1 is not an object: 'yes'",
        ),
        (
            "annotations",
            {"annotations": [annotation(7, 8, ["yes"])]},
            "contains no answer to a question in .*questions.json': the files belong to different",
        ),
    ],
)
def test_invalid_files_are_rejected(tmp_path, name, content, message):
    write_vqa_v2(tmp_path, "val2014", QUESTIONS, ANNOTATIONS)
    write_coco_photos(tmp_path, "val2014", set(IMAGES.values()))
    (path,) = tmp_path.glob(f"*_{name}.json")
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"{name}.json'.*{message}"):
        read_vqa_v2(tmp_path, " val ")

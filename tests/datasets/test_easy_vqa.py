import os
import sys

import pytest
from vqa_files import write_easy_vqa

from keras_mmfusion.datasets import read_easy_vqa

QUESTIONS = {
    "train": [
        ["what is the blue shape?", "rectangle", 0],
        ["does the image contain a rectangle?", "yes", 0],
        ["what color is the shape?", "blue", 3],
    ],
    "test": [["is there a red shape?", "no", 0]],
}


def test_reads_both_splits(tmp_path):
    write_easy_vqa(tmp_path, QUESTIONS)
    data = read_easy_vqa(str(tmp_path))
    assert data.answers == [["rectangle"], ["yes"], ["blue"]]
    assert [os.path.basename(image) for image in data.images] == ["0.png", "0.png", "3.png"]
    assert data.question_ids == [0, 1, 2]
    assert [types["answer_type"] for types in data.types] == ["shape", "yes/no", "color"]
    assert read_easy_vqa(tmp_path, "test").questions == ["is there a red shape?"]


def test_default_folder_is_the_installed_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ValueError, match="pip install easy-vqa"):
        read_easy_vqa()
    (tmp_path / "easy_vqa").mkdir()
    (tmp_path / "easy_vqa" / "__init__.py").write_text("raise AssertionError('imported')")
    write_easy_vqa(tmp_path / "easy_vqa" / "data", QUESTIONS)
    assert len(read_easy_vqa()) == 3


def test_missing_files_and_splits_are_rejected(tmp_path):
    with pytest.raises(ValueError, match="train/questions.json.*pip install easy-vqa"):
        read_easy_vqa(tmp_path)
    with pytest.raises(ValueError, match="Received: 'val'"):
        read_easy_vqa(tmp_path, "val")
    write_easy_vqa(tmp_path, QUESTIONS)
    (tmp_path / "train" / "images" / "3.png").unlink()
    with pytest.raises(ValueError, match="3.png"):
        read_easy_vqa(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[["Why?", "yes"]]', r"entry 0 is \['Why\?', 'yes'\]. The file appears to be a list"),
        ('[["Why?", null, 0]]', "entry 0 is"),
        ('[{"question": "Why?"}]', "entry 0 is"),
        ('{"questions": [{"question": "Why?"}]}', "not a list .* appears to be VQA v2's questions"),
        ("[]", "not a list of questions. The file appears to be an empty list"),
        ('[["Why?", "ye', "is not valid JSON.* truncated"),
    ],
)
def test_damaged_files_are_rejected(tmp_path, content, message):
    write_easy_vqa(tmp_path, QUESTIONS)
    (tmp_path / "train" / "questions.json").write_text(content)
    with pytest.raises(ValueError, match=f"questions.json' .*{message}"):
        read_easy_vqa(tmp_path)
    assert len(read_easy_vqa(tmp_path, " test ")) == 1

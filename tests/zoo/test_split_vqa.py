"""The split of questions by image, in the layouts of DAQUAR and VQA-RAD."""

import csv
import importlib
import json
from pathlib import Path

import pytest
from PIL import Image

from keras_mmfusion.datasets.questions.question_folder import read_question_folder

ZOO = Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture
def split_questions(monkeypatch):
    monkeypatch.syspath_prepend(str(ZOO))
    return importlib.import_module("split_vqa").split_questions


@pytest.mark.parametrize("layout", ["csv", "json"])
def test_splits_have_all_questions_and_no_image_in_common(split_questions, tmp_path, layout):
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    rows = []
    for number in range(10):
        name = f"{number}.png"
        Image.new("RGB", (2, 2)).save(data / "images" / name)
        rows += [(name, f"question {number}, {part}?", "yes") for part in "ab"]
    if layout == "csv":
        with open(data / "train.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("image", "question", "answer"), *rows])
    else:
        names = ("image_name", "question", "answer")
        records = [
            {"qid": index, **dict(zip(names, row, strict=True))} for index, row in enumerate(rows)
        ]
        (data / "train.json").write_text(json.dumps(records), encoding="utf-8")
    dev_images = split_questions(data, tmp_path / "out")
    train, dev = (read_question_folder(tmp_path / "out", split) for split in ("train", "dev"))
    assert len(train) == 16 and len(dev) == 4
    assert {Path(path).name for path in dev.images} == dev_images
    assert dev_images.isdisjoint(Path(path).name for path in train.images)
    assert sorted(train.questions + dev.questions) == sorted(row[1] for row in rows)

"""What the comparison of a joint question answerer with separate ones is made of."""

import importlib
from pathlib import Path

import pytest
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers

ZOO = Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture
def joint(monkeypatch):
    monkeypatch.syspath_prepend(str(ZOO))
    return importlib.import_module("compare_joint_vqa")


def test_model_without_images_sees_the_same_image_with_every_question(joint, tmp_path):
    images = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path in images:
        Image.new("RGB", (2, 2)).save(path)
    data = QuestionAnswers(images, ["red?", "blue?"], [["yes"], ["no"]], [1, 2])
    repeated = joint.repeat_image(data)
    assert list(repeated.images) == [images[0]] * 2
    assert list(repeated.questions) == ["red?", "blue?"]
    assert repeated.answers == [["yes"], ["no"]]


@pytest.mark.parametrize("preset", ["vqa_coco", "vqa_daquar", "vqa_rad"])
def test_separate_scores_are_means_over_seeds_above_question_only(joint, preset):
    scores = joint.read_separate_scores(preset)
    assert 0.19 < scores["question_only"] < scores["accuracy"] < 0.41

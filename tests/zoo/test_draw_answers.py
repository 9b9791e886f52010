"""The figure of correct and wrong answers."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers

pytest.importorskip("matplotlib")
ZOO = Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture
def draw(monkeypatch):
    monkeypatch.syspath_prepend(str(ZOO))
    return importlib.import_module("draw_answers")


@pytest.fixture
def data(tmp_path):
    """Six questions about five images; the last two are about the same image."""
    paths = [tmp_path / f"{number}.png" for number in (0, 1, 2, 3, 4, 4)]
    for path in paths:
        Image.fromarray(np.full((8, 12, 3), 200, "uint8")).save(path)
    answers = [["red", "blue", "blue"]] * 6
    return QuestionAnswers(list(map(str, paths)), ["is it red?"] * 6, answers, list(range(6)))


def make_samples(data, accuracies):
    return [
        {"question_id": i, "image": Path(path).name, "answer": "red", "accuracy": accuracy}
        for i, path, accuracy in zip(data.question_ids, data.images, accuracies, strict=True)
    ]


def test_correct_and_wrong_answers_about_different_images_are_selected(draw, data):
    samples = make_samples(data, [1.0, 0.3, 1.0, 1.0, 0.0, 0.0])
    correct, wrong = draw.select_samples(samples, 2)
    assert [len(correct), len(wrong)] == [2, 1]
    assert {sample["accuracy"] for sample in correct} == {1.0}
    assert {sample["accuracy"] for sample in wrong} == {0.0}
    assert (correct, wrong) == draw.select_samples(samples, 2)


@pytest.mark.parametrize("accuracies", [[1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [1.0] * 6])
def test_figure_shows_question_answer_and_human_answer(
    draw, data, accuracies, tmp_path, monkeypatch
):
    draw_answer, shown = draw._draw_answer, []

    def record(axes, data, row, sample):
        draw_answer(axes, data, row, sample)
        label = axes.xaxis.label
        shown.append((axes.get_title(), label.get_text(), label.get_color()))

    monkeypatch.setattr(draw, "_draw_answer", record)
    draw.draw_answers(data, make_samples(data, accuracies), tmp_path / "answers.png", 2)
    text = "model: red\nhuman: blue"
    correct, wrong = ("is it red?", text, "darkgreen"), ("is it red?", text, "darkred")
    assert shown == [correct] * 2 + [wrong] * (2 if 0.0 in accuracies else 0)
    with Image.open(tmp_path / "answers.png") as figure:
        assert figure.width == 2 * 224  # As many columns as the longest row has answers.


def test_question_that_is_not_in_the_data_is_an_error(draw, data, tmp_path):
    samples = [{"question_id": 9, "image": "9.png", "answer": "red", "accuracy": 1.0}]
    with pytest.raises(ValueError, match="no question with the id 9"):
        draw.draw_answers(data, samples, tmp_path / "answers.png")

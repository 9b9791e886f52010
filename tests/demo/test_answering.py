import re

import pytest

from keras_mmfusion.demo.answering import answer_question, explain_answer
from keras_mmfusion.demo.demo_models import DemoModels
from keras_mmfusion.demo.example_photos import SHAPE

QUESTION = "what color is the shape?"


@pytest.fixture(scope="module")
def models():
    return DemoModels()


def test_answers_are_listed_with_their_probabilities(models):
    table = answer_question(models, "vqa_easy", SHAPE, f" {QUESTION} ")
    answers = models.load("vqa_easy").answer(SHAPE, QUESTION, top_k=5, details=True)
    assert '<p class="mm-answer">yellow</p>' in table
    rows = re.findall(r'<th scope="row">(\w+)</th><td>([\d.]+)%</td>', table)
    assert rows == [(a.text, f"{100 * a.probability:.1f}") for a in answers]


def test_the_answer_is_explained_by_words_and_regions(models):
    page = explain_answer(models, "vqa_easy", SHAPE, QUESTION)
    assert "yellow" in page and '<svg role="img" aria-label="values of image"' in page
    assert re.findall(r'<span title="[^"]+" style="[^"]+">(\w+)</span>', page)[:2] == [
        "what",
        "color",
    ]


@pytest.mark.parametrize("question", ["", "  ", None])
def test_a_missing_question_is_named(models, question):
    with pytest.raises(ValueError, match="There is no question"):
        answer_question(models, "vqa_easy", SHAPE, question)


def test_bad_uploads_are_described(models, tmp_path):
    path = tmp_path / "shape.png"
    path.write_bytes(b"")
    for function in (answer_question, explain_answer):
        with pytest.raises(ValueError, match="image file 'shape.png'"):
            function(models, "vqa_easy", str(path), QUESTION)

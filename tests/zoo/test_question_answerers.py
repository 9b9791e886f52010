"""The question answerer that is part of the package."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from keras_mmfusion.models import QuestionAnswerer
from keras_mmfusion.zoo import vqa
from keras_mmfusion.zoo.manifest import find_preset

SHAPE = Path(__file__).parents[1] / "data" / "shape.png"  # A yellow circle.


@pytest.fixture(scope="module")
def model():
    return vqa()


def test_embedded_preset_answers_questions_about_a_file(model):
    assert isinstance(model, QuestionAnswerer)
    questions = {
        "what color is the shape?": "yellow",
        "what shape does the image contain?": "circle",
        "is there a triangle?": "no",
        "does the image not contain a blue shape?": "yes",
    }
    assert model.answer(SHAPE, list(questions)) == list(questions.values())
    choices = ["circle", "rectangle", "triangle"]
    [best, second] = model.answer(SHAPE, "what shape is present?", 2, True, choices)
    assert best.text == "circle" and best.probability > 0.9 > 0.1 > second.probability


def test_embedded_preset_answers_questions_about_drawn_images(model):
    images = [Image.new("RGB", (64, 64), (235, 250, 240)) for _ in range(3)]
    ImageDraw.Draw(images[0]).rectangle((30, 8, 55, 20), fill="blue")
    ImageDraw.Draw(images[1]).polygon([(20, 45), (36, 45), (28, 31)], fill="red")
    ImageDraw.Draw(images[2]).ellipse((8, 30, 30, 52), fill="black")
    questions = ["what is the color of the shape?"] * 3
    assert model.answer(images, questions) == ["blue", "red", "black"]
    assert model.answer(images, ["what shape is in the image?"] * 3) == [
        "rectangle",
        "triangle",
        "circle",
    ]


def test_embedded_preset_is_smaller_than_1_mb():
    assert find_preset("vqa_easy").size < 1_000_000

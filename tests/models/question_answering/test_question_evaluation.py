"""Scores of answers to questions about image files."""

import types

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers
from keras_mmfusion.datasets.images.read_images import pair_with_images
from keras_mmfusion.models.question_answering import evaluate_question_answering


class ColorModel:
    """Answers each question with the color of the image's first pixel."""

    preprocessor = types.SimpleNamespace(image_converter=types.SimpleNamespace(drop_alpha=True))

    def answer(self, images, questions, batch_size):
        pairs = pair_with_images(images, questions, "question")
        return ["red" if image[0, 0, 0] == 255 else "black" for image, _ in pairs]


@pytest.fixture
def data(tmp_path):
    """Two questions about each of three images: one red but transparent, one black."""
    images = [str(tmp_path / name) for name in ("red.png", "text.png", "black.png")]
    Image.fromarray(np.full((4, 4, 4), (255, 0, 0, 0), "uint8")).save(images[0])
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.zeros((4, 4, 3), "uint8")).save(images[2])
    return QuestionAnswers(
        images=[image for image in images for _ in range(2)],
        questions=["what color?"] * 6,
        answers=[["red"]] * 6,
        question_ids=list(range(6)),
    )


def test_unreadable_images_are_counted_and_not_scored(data, capsys):
    result = evaluate_question_answering(ColorModel(), data)
    assert result.metrics["accuracy"] == 0.5
    assert [sample["question_id"] for sample in result.samples] == [0, 1, 4, 5]
    assert [sample["answer"] for sample in result.samples] == ["red", "red", "black", "black"]
    names = ("questions", "images", "questions_with_unreadable_image")
    assert [result.protocol[name] for name in names] == [4, 2, 2]
    assert capsys.readouterr().err.count("text.png") == 1


def test_data_without_a_readable_image_is_an_error(data):
    for path in data.images:
        with open(path, "wb"):
            pass
    with pytest.raises(ValueError, match="no image that can be read"):
        evaluate_question_answering(ColorModel(), data)


def test_model_errors_are_not_taken_for_unreadable_images(data):
    class Failing(ColorModel):
        def answer(self, images, questions, batch_size):
            raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        evaluate_question_answering(Failing(), data)

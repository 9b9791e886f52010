"""Explanations of answers: the effect of regions and words."""

import keras
import numpy as np
import pytest
from keras import ops
from models.question_answering.colored_shapes import QUESTIONS, draw_shape, make_question_answerer

from keras_mmfusion.explain import explain_answer, plot_answer_explanation
from keras_mmfusion.models.question_answering import Answer

IMAGE = draw_shape("red", "square")


@pytest.mark.parametrize("combine", ["concat", "mult"])
def test_effects_are_the_changes_of_the_logit(combine):
    model = make_question_answerer(combine)
    explanation = explain_answer(model, IMAGE, QUESTIONS[2], answer="yes")
    assert explanation.answer.text == "yes" and 0 < explanation.answer.probability < 1
    assert explanation.image_map.shape == (2, 2)
    assert explanation.words == ["is", "it", "red"]
    ids, _ = model.preprocessor.pack_questions([QUESTIONS[2]])
    inputs = {
        "images": model.preprocessor.convert_image(IMAGE)[np.newaxis],
        "questions": ids[:, :5],
    }
    index = model.answers.index("yes")

    def compute(**masks):
        return ops.convert_to_numpy(model({**inputs, **masks}))[0, index]

    without_cell = compute(image_mask=np.array([[True, False, True, True]]))
    without_word = compute(question_mask=np.array([[True, True, True, False, True]]))
    assert explanation.image_map[0, 1] == pytest.approx(compute() - without_cell, abs=1e-5)
    assert explanation.word_effects[2] == pytest.approx(compute() - without_word, abs=1e-5)


def test_explanation_of_the_given_answer_and_its_figure(tmp_path):
    pytest.importorskip("matplotlib")
    model = make_question_answerer()
    explanation = explain_answer(model, IMAGE, QUESTIONS[0])
    assert isinstance(explanation.answer, Answer)
    assert explanation.answer.text == model.answer(IMAGE, QUESTIONS[0])
    figure = plot_answer_explanation(IMAGE, explanation, tmp_path / "out.png")
    assert len(figure.axes) == 3 and (tmp_path / "out.png").stat().st_size > 1000


def test_encoders_of_vectors_are_explained_by_hiding_pixels():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, keras.layers.Flatten()(images))
    model = make_question_answerer(image_encoder=encoder)
    explanation = explain_answer(model, IMAGE, QUESTIONS[0], answer="red")
    assert explanation.image_map.shape == (8, 8)
    hidden = IMAGE.copy()
    hidden[3, 4] = np.median(IMAGE, axis=(0, 1))
    ids, mask = model.preprocessor.pack_questions([QUESTIONS[0]])

    def compute(image, mask=mask):
        pixels = model.preprocessor.convert_image(image)[np.newaxis]
        inputs = {"images": pixels, "questions": ids, "question_mask": mask}
        return ops.convert_to_numpy(model(inputs))[0, model.answers.index("red")]

    effect = compute(IMAGE) - compute(hidden)
    assert abs(effect) > 1e-3
    assert explanation.image_map[3, 4] == pytest.approx(effect, abs=1e-5)
    assert explanation.image_map[0, 0] == pytest.approx(0.0, abs=1e-5)  # Has the median color.
    without_word = mask & (np.arange(mask.shape[1]) != 2)
    effect = compute(IMAGE) - compute(IMAGE, without_word)
    assert explanation.word_effects[1] == pytest.approx(effect, abs=1e-5)


def test_other_models_raise():
    images = keras.Input((8, 8, 3))
    vector = keras.Model(images, keras.layers.Flatten()(images))
    with pytest.raises(ValueError, match="cannot be explained"):
        explain_answer(vector, IMAGE, QUESTIONS[0])

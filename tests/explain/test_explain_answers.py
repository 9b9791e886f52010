"""Explanations of answers: the effect of the image, its regions, and words."""

import keras
import numpy as np
import pytest
from keras import ops
from models.question_answering.colored_shapes import (
    QUESTIONS,
    draw_shape,
    make_generative_answerer,
    make_question_answerer,
)

from keras_mmfusion.explain import Occlusion, explain, explainable

IMAGE = draw_shape("red", "square")


@pytest.fixture
def eager(monkeypatch):
    """Calls models eagerly: tracing would take longer than the few calls of a test."""
    monkeypatch.setattr(explainable, "compile_function", lambda model, function: function)


@pytest.mark.parametrize("combine", ["concat", "mult"])
def test_effects_are_the_changes_of_the_logit(combine, eager):
    model = make_question_answerer(combine)
    sample = {"image": IMAGE, "question": QUESTIONS[2]}
    explanation = explain(model, sample, "yes", "occlusion", "token")
    assert explanation.target == 'the logit of the answer "yes"'
    assert explanation.values["image"].shape == (2, 2)
    assert explanation.labels["question"][1:-1] == ["is", "it", "red"]
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
    effects, words = explanation.values["image"], explanation.values["question"][1:-1]
    assert effects[0, 1] == pytest.approx(compute() - without_cell, abs=1e-5)
    assert words[2] == pytest.approx(compute() - without_word, abs=1e-5)
    modalities = explain(model, sample, "yes", "occlusion").values
    without_image = compute(image_mask=np.array([False]))
    assert modalities["image"] == pytest.approx(compute() - without_image, abs=1e-5)


def test_explanation_of_the_answer_of_the_model_and_its_figure(eager, tmp_path):
    pytest.importorskip("matplotlib")
    model = make_question_answerer()
    sample = {"image": IMAGE, "question": QUESTIONS[0]}
    explanation = explain(model, sample, method="occlusion", level="token")
    assert f'"{model.answer(IMAGE, QUESTIONS[0])}"' in explanation.target
    figure = explanation.plot(tmp_path / "out.png")
    assert len(figure.axes) == 3 and (tmp_path / "out.png").stat().st_size > 1000
    assert explanation.images["image"].shape == (8, 8, 3)


def test_encoders_of_vectors_are_explained_by_hiding_pixels(eager):
    images = keras.Input((8, 8, 3))
    # The layer is random in training, and by default.
    flipped = keras.layers.RandomFlip(seed=0)(images)
    encoder = keras.Model(images, keras.layers.Flatten()(flipped))
    model = make_question_answerer(image_encoder=encoder)
    sample = {"image": IMAGE, "question": QUESTIONS[0]}
    explanation = explain(model, sample, "red", "occlusion", "token")
    assert explanation.values["image"].shape == (8, 8)
    hidden = IMAGE.copy()
    hidden[3, 4] = np.median(IMAGE, axis=(0, 1))
    ids, mask = model.preprocessor.pack_questions([QUESTIONS[0]])

    def compute(image, mask=mask):
        pixels = model.preprocessor.convert_image(image)[np.newaxis]
        inputs = {"images": pixels, "questions": ids, "question_mask": mask}
        logits = ops.convert_to_numpy(model(inputs, training=False))
        return logits[0, model.answers.index("red")]

    effect = compute(IMAGE) - compute(hidden)
    assert abs(effect) > 1e-3
    assert explanation.values["image"][3, 4] == pytest.approx(effect, abs=1e-5)
    # Has the median color.
    assert explanation.values["image"][0, 0] == pytest.approx(0.0, abs=1e-5)
    without_word = mask & (np.arange(mask.shape[1]) != 2)
    effect = compute(IMAGE) - compute(IMAGE, without_word)
    assert explanation.values["question"][2] == pytest.approx(effect, abs=1e-5)
    # All ways to compute the score agree.
    scores = [
        explain(model, sample, "red", "occlusion", level).score for level in ("modality", "pixel")
    ]
    assert scores == pytest.approx([compute(IMAGE)] * 2, abs=1e-5)


def test_generated_answers_are_explained_by_their_log_probability():
    model = make_generative_answerer()
    sample = {"image": IMAGE, "question": QUESTIONS[0]}
    explanation = explain(model, sample, "red", Occlusion(grid=(1, 2)), "token")
    [answer] = model.answer(IMAGE, [QUESTIONS[0]], details=True, choices=["red"])
    assert explanation.score == pytest.approx(np.log(answer.probability), abs=1e-4)
    assert explanation.values["image"].shape == (1, 2)
    removed = explanation.removal["question"]
    assert removed == "replaced by the token of unknown words"
    unknown = QUESTIONS[0].replace("color", "zebra")
    [changed] = model.answer(IMAGE, [unknown], details=True, choices=["red"])
    expected = np.log(answer.probability) - np.log(changed.probability)
    assert explanation.values["question"][2] == pytest.approx(expected, abs=1e-4)


def test_other_models_and_answers_raise():
    images = keras.Input((8, 8, 3))
    vector = keras.Model(images, keras.layers.Flatten()(images))
    sample = {"image": IMAGE, "question": QUESTIONS[0]}
    with pytest.raises(ValueError, match="`model` must be one of"):
        explain(vector, sample)
    model = make_question_answerer()
    with pytest.raises(ValueError, match="`target` must be one of the model's 7 answers"):
        explain(model, sample, "purple")
    with pytest.raises(ValueError, match="with 'image' and 'question'. Received: \\['image'\\]"):
        explain(model, {"image": IMAGE})

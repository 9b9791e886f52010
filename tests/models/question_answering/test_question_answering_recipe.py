"""Training of question answerers on image files."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
from models.question_answering.colored_shapes import (
    QUESTIONS,
    SIZE,
    make_data,
    make_generative_answerer,
    make_image_encoder,
)
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers
from keras_mmfusion.models.question_answering import (
    QuestionAnsweringRecipe,
    create_question_answerer,
    evaluate_question_answering,
    train_question_answering,
)
from keras_mmfusion.models.question_answering.question_sequence import QuestionSequence
from keras_mmfusion.models.question_answering.recipe_scores import score_model

RECIPE = QuestionAnsweringRecipe(
    combine="concat", dim=8, num_answers=7, min_word_count=1, epochs=2, batch_size=12, dropout=0.0
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    images, questions, answers = make_data()
    paths = []
    for row, image in enumerate(images):
        paths.append(str(folder / f"{row // len(QUESTIONS)}.png"))
        if row % len(QUESTIONS) == 0:
            Image.fromarray(image).save(paths[-1])
    return QuestionAnswers(paths, questions, [[answer] for answer in answers], range(len(paths)))


def create_model(data, recipe=RECIPE):
    from keras_hub.layers import ImageConverter

    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return create_question_answerer(recipe, data, make_image_encoder(), converter)


def test_training_depends_only_on_the_seed_and_keeps_the_best_epoch(data):
    weights = []
    for _ in range(2):
        model = create_model(data)
        assert model.activation == "softmax" and len(model.answers) == 7
        history = keras.callbacks.History()
        train_question_answering(RECIPE, data, model, data, [history])
        weights.append(keras.ops.convert_to_numpy(model.head[-1].kernel))
    np.testing.assert_array_equal(*weights)
    assert len(history.history["val_accuracy"]) == 2
    inputs, targets = QuestionSequence(data, model, 24, shuffle=False)[0]
    logits = keras.ops.convert_to_numpy(model(inputs))
    accuracy = np.mean(targets[np.arange(24), logits.argmax(axis=1)])
    assert accuracy == pytest.approx(max(history.history["val_accuracy"]), abs=1e-6)


def test_a_frozen_encoder_encodes_each_image_once(data):
    model = create_model(data)
    before = [keras.ops.convert_to_numpy(w) for w in model.image_encoder.weights]
    recipe = QuestionAnsweringRecipe(epochs=1, batch_size=24, freeze_image_encoder=True)
    train_question_answering(recipe, data, model)
    for weight, value in zip(model.image_encoder.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
    batches = QuestionSequence(data, model, 8, encode=model.encode_images)
    assert len(batches.images) == len(set(data.images)) and batches[0][0]["image_tokens"].ndim == 3


def test_models_with_the_same_frozen_encoder_share_encoded_images(data):
    model, tokens = create_model(data), {}
    first = QuestionSequence(data, model, 8, encode=model.encode_images, image_tokens=tokens)
    assert first.images is tokens and set(tokens) == set(data.images)
    # The second sequence has nothing to encode.
    second = QuestionSequence(data, model, 8, encode=pytest.fail, image_tokens=tokens)
    for name in ("image_tokens", "questions"):
        np.testing.assert_array_equal(second[0][0][name], first[0][0][name])
    recipe = dataclasses.replace(RECIPE, freeze_image_encoder=True)
    accuracy = evaluate_question_answering(model, data).metrics["accuracy"]
    assert score_model(model, data, recipe, 16, tokens) == accuracy


def test_answers_outside_the_vocabulary_are_counted(data):
    model = create_model(data, QuestionAnsweringRecipe(num_answers=1, dim=8, epochs=1))
    assert len(model.answers) == 1
    with warnings.catch_warnings(record=True, action="always") as caught:
        train_question_answering(QuestionAnsweringRecipe(epochs=1), data, model)
    message = "of 24 questions have no answer in `model.answers`"
    assert any(message in str(warning.message) for warning in caught)
    unknown = QuestionAnswers(data.images[:1], ["is it red"], [["purple"]], [0])
    with pytest.raises(ValueError, match="None of the questions has an answer"):
        train_question_answering(QuestionAnsweringRecipe(epochs=1), unknown, model)


def test_batches_of_generative_models_contain_one_answer_of_each_question(data):
    answers = [["red", "blue"]] * 4
    several = QuestionAnswers(data.images[:4], data.questions[:4], answers, range(4))
    model = make_generative_answerer()
    batches = QuestionSequence(several, model, 4)
    first = batches[0][0]["answers"]
    batches.epoch = 1
    second = batches[0][0]["answers"]
    assert (first[0] != second[0]).any() and (second == second[0]).all()
    inputs, targets, weights = batches[0]
    assert np.isfinite(keras.ops.convert_to_numpy(model(inputs))).all()
    assert targets.shape == weights.shape == (4, 4)
